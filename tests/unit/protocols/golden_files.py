"""Golden files: the events of a Run as JSON, one a line; a line of dashes; the bytes that a wire makes of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec

from agentrun.events import AnyEvent, RunStarted
from agentrun.run.completer import Completer

GOLDEN = Path(__file__).parent / "golden"
_DASHES = b"--------\n"


def cases(wire: str) -> list[str]:
    """The names of a wire's files."""
    return sorted(path.stem for path in (GOLDEN / wire).glob("*.txt"))


def read(wire: str, name: str) -> tuple[list[AnyEvent], bytes]:
    """The events of a file, and the bytes expected."""
    said, dashes, expected = (GOLDEN / wire / f"{name}.txt").read_bytes().partition(_DASHES)
    assert dashes, "a line of dashes stands between events and bytes"
    return [msgspec.json.decode(line, type=AnyEvent) for line in said.splitlines()], expected


def write(wire: str, name: str, events: list[AnyEvent], made: bytes) -> None:
    """A new file; look at it before it is kept."""
    lines = b"".join(msgspec.json.encode(event) + b"\n" for event in events)
    (GOLDEN / wire / f"{name}.txt").write_bytes(lines + _DASHES + made)


def complete(loose: list[Any], client_tools: frozenset[str] = frozenset({"theirs"})) -> list[AnyEvent]:
    """Loose events, completed; the agent came to its end."""
    out: list[AnyEvent] = [RunStarted("run_00ff")]
    completer = Completer(out.append, client_tools)
    for event in loose:
        completer.feed(event)
    completer.finish()
    return out
