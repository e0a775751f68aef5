"""SyncSandbox: the same for programs without an event loop. Each method is its namesake, waited for."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from types import TracebackType
from typing import Any

from agentrun.sandbox.backend import Mount
from agentrun.sandbox.browser.sync import SyncBrowser
from agentrun.sandbox.contexts import Context, Contexts
from agentrun.sandbox.files import Files
from agentrun.sandbox.ports import SyncPort
from agentrun.sandbox.processes import OnText, Process, Processes
from agentrun.sandbox.sandbox import Sandbox
from agentrun.sandbox.template import Template
from agentrun.sandbox.values import (
    WORKING_FOLDER,
    ContextInfo,
    Execution,
    FileChange,
    FileInfo,
    Finished,
    Isolation,
    Language,
    Metrics,
    OnOutput,
    ProcessInfo,
)
from agentrun.utils.portal import entered, iterate, run


class SyncContext:
    """A `Context`, synchronously."""

    def __init__(self, context: Context) -> None:
        self.awaited = context

    @property
    def id(self) -> str:
        return self.awaited.id

    @property
    def info(self) -> ContextInfo:
        return self.awaited.info

    def run(
        self,
        code: str,
        *,
        timeout_s: float | None = None,
        env: Mapping[str, str] | None = None,
        on_output: OnOutput | None = None,
    ) -> Execution:
        return run(self.awaited.run(code, timeout_s=timeout_s, env=env, on_output=on_output))

    def interrupt(self) -> None:
        run(self.awaited.interrupt())

    def restart(self) -> None:
        run(self.awaited.restart())

    def fork(self) -> SyncContext:
        return SyncContext(run(self.awaited.fork()))

    def close(self) -> None:
        run(self.awaited.close())


class SyncContexts:
    """`Contexts`, synchronously."""

    def __init__(self, contexts: Contexts) -> None:
        self._awaited = contexts

    def create(
        self,
        language: Language = "python",
        *,
        cwd: str | None = None,
        env: Mapping[str, str] | None = None,
    ) -> SyncContext:
        return SyncContext(run(self._awaited.create(language, cwd=cwd, env=env)))

    def list(self) -> list[ContextInfo]:
        return self._awaited.list()

    def get(self, id: str) -> SyncContext:
        return SyncContext(self._awaited.get(id))

    def usual(self, language: Language) -> SyncContext:
        return SyncContext(run(self._awaited.usual(language)))


class SyncFiles:
    """`Files`, synchronously."""

    def __init__(self, files: Files) -> None:
        self._awaited = files

    def read(self, path: str, *, limit: int | None = None) -> bytes:
        return run(self._awaited.read(path, limit=limit))

    def read_text(self, path: str, *, limit: int | None = None) -> str:
        return run(self._awaited.read_text(path, limit=limit))

    def stream(self, path: str, *, limit: int | None = None) -> Iterator[bytes]:
        return iterate(self._awaited.stream(path, limit=limit))

    def write(self, path: str, data: bytes | str | Iterable[bytes], *, mode: int = 0o644) -> FileInfo:
        whole = data if isinstance(data, (bytes, str)) else _chunks(data)
        return run(self._awaited.write(path, whole, mode=mode))

    def upload(self, source: str | os.PathLike[str], path: str) -> FileInfo:
        return run(self._awaited.upload(source, path))

    def download(self, path: str, target: str | os.PathLike[str]) -> int:
        return run(self._awaited.download(path, target))

    def list(self, path: str = WORKING_FOLDER, *, depth: int = 1, limit: int = 10_000) -> list[FileInfo]:
        return run(self._awaited.list(path, depth=depth, limit=limit))

    def stat(self, path: str) -> FileInfo:
        return run(self._awaited.stat(path))

    def exists(self, path: str) -> bool:
        return run(self._awaited.exists(path))

    def make_dir(self, path: str) -> FileInfo:
        return run(self._awaited.make_dir(path))

    def move(self, source: str, target: str) -> FileInfo:
        return run(self._awaited.move(source, target))

    def remove(self, path: str) -> None:
        run(self._awaited.remove(path))

    @contextmanager
    def watch(self, path: str = WORKING_FOLDER) -> Generator[Iterator[FileChange], None, None]:
        with entered(self._awaited.watch(path)) as changes:
            yield iterate(changes)


class SyncProcess:
    """A `Process`, synchronously."""

    def __init__(self, process: Process) -> None:
        self._awaited = process
        self.pid = process.pid

    def output(self) -> Iterator[tuple[str, bytes]]:
        return iterate(self._awaited.output())

    def write(self, data: bytes | str) -> None:
        run(self._awaited.write(data))

    def close_stdin(self) -> None:
        run(self._awaited.close_stdin())

    def signal(self, number: int) -> None:
        run(self._awaited.signal(number))

    def kill(self) -> None:
        run(self._awaited.kill())

    def resize(self, columns: int, rows: int) -> None:
        run(self._awaited.resize(columns, rows))

    def wait(self, timeout_s: float | None = None) -> int:
        return run(self._awaited.wait(timeout_s))

    def finish(self, timeout_s: float | None = None, on_output: OnText | None = None) -> Finished:
        return run(self._awaited.finish(timeout_s, on_output))


class SyncProcesses:
    """`Processes`, synchronously."""

    def __init__(self, processes: Processes) -> None:
        self._awaited = processes

    def run(
        self,
        command: str | Sequence[str],
        *,
        cwd: str = WORKING_FOLDER,
        env: Mapping[str, str] | None = None,
        stdin: bytes | str | None = None,
        timeout_s: float | None = None,
        on_output: OnText | None = None,
    ) -> Finished:
        return run(
            self._awaited.run(
                command, cwd=cwd, env=env, stdin=stdin, timeout_s=timeout_s, on_output=on_output
            )
        )

    def start(
        self,
        command: str | Sequence[str],
        *,
        cwd: str = WORKING_FOLDER,
        env: Mapping[str, str] | None = None,
        stdin: bool = False,
        pty: tuple[int, int] | None = None,
    ) -> SyncProcess:
        return SyncProcess(run(self._awaited.start(command, cwd=cwd, env=env, stdin=stdin, pty=pty)))

    def list(self) -> list[ProcessInfo]:
        return run(self._awaited.list())

    def signal(self, pid: int, number: int) -> None:
        run(self._awaited.signal(pid, number))

    def end(self, pid: int) -> None:
        run(self._awaited.end(pid))


class SyncSandbox:
    """A `Sandbox`, synchronously: `with SyncSandbox.create() as box`."""

    def __init__(self, sandbox: Sandbox) -> None:
        self.awaited = sandbox
        self.files = SyncFiles(sandbox.files)
        self.processes = SyncProcesses(sandbox.processes)
        self.contexts = SyncContexts(sandbox.contexts)
        self.browser = SyncBrowser(sandbox.browser)

    @classmethod
    def create(
        cls,
        template: str | Template = "python",
        *,
        env: Mapping[str, str] | None = None,
        mounts: Sequence[Mount] = (),
        snapshot: Iterable[bytes] | None = None,
        **changes: Any,
    ) -> SyncSandbox:
        begun = None if snapshot is None else _chunks(snapshot)
        return cls(run(_open(template, env=env, mounts=mounts, snapshot=begun, **changes)))

    @property
    def id(self) -> str:
        return self.awaited.id

    @property
    def template(self) -> Template:
        return self.awaited.template

    @property
    def isolation(self) -> Isolation:
        return self.awaited.isolation

    @property
    def ended(self) -> str | None:
        return self.awaited.ended

    def run(
        self,
        code: str,
        *,
        language: Language = "python",
        context: SyncContext | None = None,
        timeout_s: float | None = None,
        env: Mapping[str, str] | None = None,
        on_output: OnOutput | None = None,
    ) -> Execution:
        place = context.awaited if context else None
        return run(
            self.awaited.run(
                code, language=language, context=place, timeout_s=timeout_s, env=env, on_output=on_output
            )
        )

    def install(self, *packages: str, timeout_s: float = 600) -> Finished:
        return run(self.awaited.install(*packages, timeout_s=timeout_s))

    def port(self, number: int | None = None) -> SyncPort:
        return SyncPort(self.awaited.port(number))

    def metrics(self) -> Metrics:
        return run(self.awaited.metrics())

    @property
    def paused(self) -> bool:
        return self.awaited.paused

    def pause(self) -> None:
        run(self.awaited.pause())

    def resume(self) -> None:
        run(self.awaited.resume())

    def snapshot(self) -> Iterator[bytes]:
        return iterate(self.awaited.snapshot())

    def restore(self, chunks: Iterable[bytes]) -> None:
        run(self.awaited.restore(_chunks(chunks)))

    def keep(self, idle_timeout_s: float) -> None:
        run(_on_loop(lambda: self.awaited.keep(idle_timeout_s)))

    def wait(self) -> str:
        return run(self.awaited.wait())

    def close(self) -> None:
        run(self.awaited.close())

    def __enter__(self) -> SyncSandbox:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()


async def _open(template: str | Template, **options: Any) -> Sandbox:
    return await Sandbox.create(template, **options)


async def _chunks(chunks: Iterable[bytes]) -> AsyncIterator[bytes]:
    for chunk in chunks:
        yield chunk


async def _on_loop(call: Any) -> None:
    call()
