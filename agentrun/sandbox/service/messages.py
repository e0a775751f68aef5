"""Messages on the WebSocket of a started process, as the service and its clients read them."""

from __future__ import annotations

from typing import Literal

import msgspec

from agentrun.sandbox.values import WORKING_FOLDER

# the byte that names the stream, before what it said
STREAMS = {"stdout": 1, "stderr": 2}
# bytes of output that may be on their way without having been taken
CREDIT = 1 << 20
# of the id before what is to be written
ID_BYTES = 8


class Start(msgspec.Struct, forbid_unknown_fields=True):
    """The first message: a program, or a line for bash."""

    argv: str | tuple[str, ...]
    cwd: str = WORKING_FOLDER
    env: dict[str, str] = {}
    stdin: bool = False
    pty: tuple[int, int] | None = None


class Order(msgspec.Struct, forbid_unknown_fields=True):
    """A later one: what is to be done to the process. All but credit are answered with their id."""

    do: Literal["close_stdin", "signal", "resize", "credit"]
    id: int = 0
    number: int = 15
    columns: int = 80
    rows: int = 24


class Failure(msgspec.Struct, frozen=True):
    """An error, as its HTTP status, code and message."""

    status: int
    code: str
    message: str


class Told(msgspec.Struct, omit_defaults=True):
    """What the service says beside output: one of these at a time."""

    pid: int | None = None
    answer: int | None = None
    error: Failure | None = None
    silent: bool = False  # no more output will come
    exit: int | None = None
