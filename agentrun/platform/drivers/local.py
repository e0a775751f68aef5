"""LocalDriver: instances are processes of this machine, children of a keeper that outlives the daemon."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from agentrun.errors import ConfigError, DriverError, NotFound
from agentrun.platform.drivers.commands import run_inside
from agentrun.platform.drivers.driver import Capability, Ended, Exec, Handle, Launch, Stats
from agentrun.platform.drivers.keeper import linux, wire
from agentrun.platform.drivers.keeper.inside import Inside
from agentrun.platform.drivers.keeper.orphans import ancestors
from agentrun.platform.drivers.usage import usage
from agentrun.utils.tasks import end as end_tasks

_CONNECT_S = 20.0
_LEAVE_S = 30.0  # for a keeper to end its instances and itself
_AGAIN_S = 0.02
_ALONE_S = 600.0
_LONGEST = 2**24  # bytes of an answer


class LocalDriver:
    """See the module. `folder` is the keeper's own; `alone_s` is how long it goes on without a daemon.

    Without `cgroups` limits are held by rlimits, as where no cgroup can be made.
    """

    name = "local"

    def __init__(self, folder: Path, *, alone_s: float = _ALONE_S, cgroups: bool = True) -> None:
        if sys.platform != "linux":
            raise ConfigError("Instances on this machine need Linux.", hint="Use `agentrun dev` here.")
        self.capabilities: frozenset[Capability] = frozenset(_capabilities())
        self._folder = folder.resolve()
        self._options = (str(alone_s), "cgroup" if cgroups else "rlimit")
        self._on_end: Callable[[Ended], None] = lambda _: None
        self._writer: asyncio.StreamWriter | None = None
        self._listening: asyncio.Task[None] | None = None
        self._connecting = asyncio.Lock()
        self._waiting: dict[int, asyncio.Future[wire.Reply]] = {}
        self._number = 0
        self._known: dict[str, Handle] = {}
        self._keeper = 0  # its process

    async def open(self, on_end: Callable[[Ended], None]) -> Sequence[Handle]:
        self._on_end = on_end
        return await self.list()

    async def start(self, launch: Launch) -> Handle:
        reply = await self._ask(wire.Start, launch)
        if reply.error:
            raise DriverError(f"{launch.version}: {reply.error}")
        handle = reply.handles[0]
        self._known[handle.id] = handle
        return handle

    async def stop(self, instance: str, *, grace_s: float) -> None:
        await self._ask(wire.Stop, instance, grace_s)

    async def list(self) -> Sequence[Handle]:
        reply = await self._ask(wire.List)
        self._known = {handle.id: handle for handle in reply.handles}
        return reply.handles

    async def stats(self) -> Mapping[str, Stats]:
        return {instance: usage(handle.pid) for instance, handle in self._known.items()}

    async def exec(
        self, instance: str, argv: Sequence[str], *, folder: str = "", terminal: bool = False
    ) -> Exec:
        handle = self._known.get(instance)
        if handle is None:
            raise NotFound(f"There is no instance {instance}.")
        launch = handle.launch
        variables = (await self._ask(wire.Look, instance)).environment
        return run_inside(Inside(tuple(argv), folder, variables, handle.pid, launch, terminal))

    def owns(self, pid: int) -> bool:
        if pid == os.getpid():
            return False
        above = set(ancestors(pid))  # commands beside instances are children of this process
        return not above or not above.isdisjoint((self._keeper, os.getpid()))

    async def close(self, *, stop: bool) -> None:
        if stop and (self._writer is not None or wire.socket_path(self._folder).exists()):
            with suppress(DriverError, asyncio.TimeoutError):  # a keeper that hangs must hang nobody else
                await asyncio.wait_for(self._leave(), _LEAVE_S)
        if self._listening is not None:
            await end_tasks(self._listening)
        await self._hang_up()

    async def _leave(self) -> None:
        """The keeper ends its instances, and then itself."""
        await self._ask(wire.Leave)
        if self._listening is not None:
            await asyncio.shield(self._listening)

    async def _ask(self, kind: Callable[..., Any], *what: object) -> wire.Reply:
        writer = await self._connected()
        self._number += 1
        number = self._number
        answer = self._waiting[number] = asyncio.get_running_loop().create_future()
        try:
            writer.write(wire.encode(kind(number, *what)) + b"\n")
            return await answer
        finally:
            self._waiting.pop(number, None)

    async def _connected(self) -> asyncio.StreamWriter:
        async with self._connecting:
            if self._writer is None:
                reader, self._writer = await self._connect()
                self._keeper, _ = linux.peer_of(self._writer.get_extra_info("socket").fileno())
                self._listening = asyncio.create_task(self._listen(reader))
            return self._writer

    async def _connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """To the keeper; one is started where none is."""
        path = str(wire.socket_path(self._folder))
        end = asyncio.get_running_loop().time() + _CONNECT_S
        while True:
            with suppress(OSError):
                reader, writer = await asyncio.open_unix_connection(path, limit=_LONGEST)
                writer.write(wire.encode(wire.List(0)) + b"\n")
                if line := await reader.readline():  # or it is the socket of one that is ending
                    self._take(wire.decode_answer(line))
                    return reader, writer
                writer.close()
            if asyncio.get_running_loop().time() > end:
                raise DriverError(
                    f"The keeper of {self._folder} does not answer.",
                    hint=f"See {self._folder / 'keeper.log'}.",
                )
            await asyncio.to_thread(self._start_keeper)
            await asyncio.sleep(_AGAIN_S)

    def _start_keeper(self) -> None:
        command = [sys.executable, "-m", "agentrun.platform.drivers.keeper", str(self._folder)]
        started = subprocess.run(
            [*command, *self._options],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=False,
            timeout=_CONNECT_S,
        )
        if started.returncode:
            said = started.stderr.decode("utf-8", "replace").strip().splitlines()[-1:]
            raise DriverError(f"The keeper of {self._folder} did not start: {''.join(said)}")

    async def _listen(self, reader: asyncio.StreamReader) -> None:
        """Until the keeper has gone; then all instances are gone as well."""
        with suppress(OSError):
            while line := await reader.readline():
                self._take(wire.decode_answer(line))
        await self._hang_up()
        for answer in self._waiting.values():
            if not answer.done():
                answer.set_exception(DriverError("The keeper of the instances has ended."))
        for instance in list(self._known):
            self._take(wire.Told(Ended(instance, "ended with the keeper of the instances", lost=True)))

    def _take(self, answer: wire.Reply | wire.Told) -> None:
        if isinstance(answer, wire.Told):
            self._known.pop(answer.ended.id, None)
            self._on_end(answer.ended)
            return
        waiting = self._waiting.get(answer.number)
        if waiting is not None and not waiting.done():
            waiting.set_result(answer)

    async def _hang_up(self) -> None:
        writer, self._writer = self._writer, None
        if writer is not None:
            writer.close()
            with suppress(OSError):
                await writer.wait_closed()


def _capabilities() -> list[Capability]:
    found: list[Capability] = ["exec", "warm"]
    if linux.landlock_version():
        found.append("isolation")
    return found
