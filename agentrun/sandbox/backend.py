"""Backend and Box: what a kind of sandbox has to bring, and the one table of those that are built in."""

from __future__ import annotations

import socket
from collections.abc import AsyncGenerator, AsyncIterable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from importlib.metadata import entry_points
from typing import Any, Protocol

import msgspec

from agentrun.errors import ConfigError
from agentrun.sandbox.template import Template
from agentrun.sandbox.values import (
    Command,
    ContextInfo,
    Execution,
    FileChange,
    FileInfo,
    Isolation,
    Language,
    Metrics,
    OnOutput,
    ProcessInfo,
)
from agentrun.utils.lazy import load

GROUP = "agentrun.sandboxes"
BUILTIN = {
    "bubblewrap": "agentrun.sandbox.backends.bubblewrap:Bubblewrap",
    "docker": "agentrun.sandbox.backends.docker:Docker",
    "gvisor": "agentrun.sandbox.backends.gvisor:Gvisor",
    "kubernetes": "agentrun.sandbox.backends.kubernetes:Kubernetes",
    "process": "agentrun.sandbox.backends.process:Plain",
    "remote": "agentrun.sandbox.backends.remote:Elsewhere",
}


class Mount(msgspec.Struct, frozen=True):
    """A folder or file of this machine that the sandbox sees at `target`."""

    source: str
    target: str
    writable: bool = False


class Order(msgspec.Struct, frozen=True):
    """The sandbox that is wanted."""

    id: str
    template: Template
    env: Mapping[str, str] = {}
    mounts: Sequence[Mount] = ()


class Running(Protocol):
    """A started process. Its output has to be read, or it will wait."""

    @property
    def pid(self) -> int: ...
    def output(self) -> AsyncGenerator[tuple[str, bytes], None]:
        """("stdout" | "stderr", bytes), until it has closed both. A PTY's is all stdout."""
        ...

    async def write(self, data: bytes) -> None: ...
    async def close_stdin(self) -> None: ...
    async def signal(self, number: int) -> None: ...
    async def resize(self, columns: int, rows: int) -> None: ...
    async def wait(self) -> int: ...


class Box(Protocol):
    """A sandbox that runs. Errors of code and commands are results; SandboxError is for the box itself."""

    @property
    def isolation(self) -> Isolation: ...
    @property
    def pid(self) -> int | None:
        """Its first process on this machine, if it is on this machine."""
        ...

    def on_end(self, callback: Callable[[], None]) -> None:
        """Be told once, on the loop, when the box has ended by itself."""
        ...

    async def open_context(
        self, language: Language, cwd: str | None, env: Mapping[str, str]
    ) -> ContextInfo: ...
    async def execute(
        self,
        context: str,
        code: str,
        *,
        timeout_s: float | None,
        env: Mapping[str, str],
        on_output: OnOutput | None,
    ) -> Execution: ...
    async def interrupt(self, context: str) -> None: ...
    async def restart_context(self, context: str) -> None: ...
    async def fork_context(self, context: str) -> ContextInfo: ...
    async def close_context(self, context: str) -> None: ...
    def contexts(self) -> list[ContextInfo]: ...

    def read(self, path: str, limit: int | None = None) -> AsyncGenerator[bytes, None]: ...
    async def write(self, path: str, chunks: AsyncIterable[bytes], *, mode: int = 0o644) -> FileInfo: ...
    async def list(self, path: str, *, depth: int, limit: int) -> list[FileInfo]: ...
    async def stat(self, path: str) -> FileInfo: ...
    async def make_dir(self, path: str) -> FileInfo: ...
    async def move(self, source: str, target: str) -> FileInfo: ...
    async def remove(self, path: str) -> None: ...
    def watch(self, path: str) -> AbstractAsyncContextManager[AsyncGenerator[FileChange, None]]:
        """Changes from the moment that this is entered, until it is left or the box ends."""
        ...

    async def start(self, command: Command) -> Running: ...
    async def processes(self) -> list[ProcessInfo]: ...
    async def signal(self, pid: int, number: int) -> None: ...
    async def dial(self, port: int) -> socket.socket:
        """A connection to what listens on a port inside; NotFound if nothing does."""
        ...

    async def metrics(self) -> Metrics: ...
    async def pause(self) -> None: ...
    async def resume(self) -> None: ...
    def snapshot(self) -> AsyncGenerator[bytes, None]:
        """The working folder as a tar."""
        ...

    async def restore(self, chunks: AsyncIterable[bytes]) -> None: ...
    async def close(self) -> None:
        """End everything in it; returns when nothing is left. May be called again."""
        ...


class Backend(Protocol):
    """A kind of isolation."""

    name: str
    level: str

    def lacks(self) -> list[str]:
        """What is missing here, and how to get it, in sentences; nothing if it works."""
        ...

    async def create(self, order: Order) -> Box:
        """A running box; SandboxUnavailable says what is missing."""
        ...


def names() -> list[str]:
    """The backends there are, built in and from other packages."""
    return [*BUILTIN, *(point.name for point in entry_points(group=GROUP) if point.name not in BUILTIN)]


def named(name: str) -> Backend:
    """A backend by its name."""
    if name in BUILTIN:
        return load(BUILTIN[name])()
    for point in entry_points(group=GROUP):
        if point.name == name:
            made: Any = point.load()
            return made()
    raise ConfigError(f'There is no sandbox backend "{name}".', hint=f"There are: {', '.join(names())}.")
