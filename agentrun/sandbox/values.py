"""What goes into a sandbox and comes out of it, as plain values that any backend can carry."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Literal

import msgspec

Language = Literal["python", "javascript", "bash"]

HOME = "/home/user"
WORKING_FOLDER = "."


class Stdout(msgspec.Struct, frozen=True):
    """Text the code has printed."""

    text: str


class Stderr(msgspec.Struct, frozen=True):
    """Text the code has written to its standard error."""

    text: str


class Result(msgspec.Struct, frozen=True):
    """Something shown: the same thing in one or more MIME types. `main` is the value of the last line."""

    data: Mapping[str, Any]
    main: bool = False

    @property
    def text(self) -> str | None:
        return self.data.get("text/plain")

    @property
    def html(self) -> str | None:
        return self.data.get("text/html")

    @property
    def png(self) -> str | None:
        """In base64."""
        return self.data.get("image/png")

    @property
    def svg(self) -> str | None:
        return self.data.get("image/svg+xml")

    @property
    def json(self) -> Any:
        return self.data.get("application/json")


Output = Stdout | Stderr | Result
OnOutput = Callable[[Output], None]


class CodeError(msgspec.Struct, frozen=True):
    """How the code failed. `name` is TimeoutError when it was stopped for taking too long."""

    name: str
    value: str
    traceback: str


class Execution(msgspec.Struct, frozen=True):
    """What came of running code: an error of the code is part of it, never an exception."""

    stdout: str = ""
    stderr: str = ""
    results: tuple[Result, ...] = ()
    error: CodeError | None = None
    count: int = 0
    truncated: bool = False  # some output was left out, where a line in it says so
    state_lost: bool = False  # the context had to be ended; the next run finds an empty one
    duration_s: float = 0.0

    @property
    def text(self) -> str | None:
        """The value of the last line."""
        return next((result.text for result in self.results if result.main), None)


class ContextInfo(msgspec.Struct, frozen=True):
    """A place where variables live on between runs."""

    id: str
    language: Language
    cwd: str


class FileInfo(msgspec.Struct, frozen=True):
    """A file as the sandbox sees it. Names that are no UTF-8 have each odd byte as `\\xNN`."""

    path: str
    type: Literal["file", "dir", "link", "other"]
    size: int
    mode: int
    modified_s: float
    target: str | None = None

    @property
    def name(self) -> str:
        return self.path.rpartition("/")[2]


class FileChange(msgspec.Struct, frozen=True):
    """Something that happened to a file below a watched folder."""

    path: str
    change: Literal["created", "modified", "removed", "renamed"]


class Command(msgspec.Struct, frozen=True):
    """A program to start. A text is a line for bash."""

    argv: str | tuple[str, ...]
    cwd: str = WORKING_FOLDER
    env: Mapping[str, str] = {}
    stdin: bool = False
    pty: tuple[int, int] | None = None  # columns and rows


class ProcessInfo(msgspec.Struct, frozen=True):
    """A process that runs in the sandbox. `started_here` if it was started from outside, by name."""

    pid: int
    command: str
    cpu_s: float = 0.0
    memory_bytes: int = 0
    started_here: bool = False
    began_s: float = 0.0  # with the number, which is given again, what tells it from any other


class Finished(msgspec.Struct, frozen=True):
    """How a process ended and what it has said. A negative code is the signal that ended it."""

    exit_code: int
    stdout: str = ""
    stderr: str = ""
    truncated: bool = False
    timed_out: bool = False
    duration_s: float = 0.0


class Metrics(msgspec.Struct, frozen=True):
    """What a sandbox uses of what it may."""

    cpu_s: float
    memory_bytes: int
    memory_limit_bytes: int
    disk_bytes: int
    disk_limit_bytes: int
    processes: int
    processes_limit: int


class Isolation(msgspec.Struct, frozen=True):
    """What holds a sandbox in: `level` in a word, and each limit with how it is kept."""

    level: Literal["none", "namespaces", "virtual"]
    backend: str
    limits: Mapping[str, str] = {}  # "memory": "cgroup", or "best effort: ..."
