"""Programs that run here while somebody works on them: started, waited for, shown, ended. None outlives this process."""

from __future__ import annotations

import asyncio
import socket
import sys
from contextlib import suppress
from pathlib import Path

import msgspec

from agentrun.cli.mcp_platform.leash import Order
from agentrun.cli.mcp_platform.programs import Program
from agentrun.errors import AgentRunError, Conflict, NotFound
from agentrun.platform.drivers.keeper.spawn import SpawnFailed, hold_port
from agentrun.utils.json import dumps

_START_S = 60.0
_AGAIN_S = 0.05
_LAST_LINES = 20
_LARGEST = 256 * 1024  # of a log that is read back


class StartFailed(AgentRunError):
    """A program did not come to answer; the message holds its last lines."""

    code = "start_failed"


class Local(msgspec.Struct):
    """One of them."""

    name: str
    program: Program
    command: tuple[str, ...]
    port: int
    log: Path
    process: asyncio.subprocess.Process

    @property
    def pid(self) -> int:
        return self.process.pid

    @property
    def is_running(self) -> bool:
        return self.process.returncode is None

    def lines(self, most: int) -> list[str]:
        """The last that it printed."""
        with self.log.open("rb") as file:
            file.seek(max(0, self.log.stat().st_size - _LARGEST))
            return file.read().decode("utf-8", "replace").splitlines()[-most:]


class Locals:
    """By the names of their services. Their logs are in `folder`."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._known: dict[str, Local] = {}
        self._starting: dict[str, asyncio.Lock] = {}

    def get(self, name: str) -> Local:
        """One that was started, whether it still runs or not."""
        found = self._known.get(name)
        if found is None:
            raise NotFound(f"{name} was not started here.", hint="Start it: action run.")
        return found

    async def run(
        self, name: str, program: Program, command: tuple[str, ...], port: int, variables: dict[str, str]
    ) -> tuple[Local, bool]:
        """The program, once its port answers, and whether it was started for this."""
        async with self._starting.setdefault(name, asyncio.Lock()):
            before = self._known.get(name)
            if before is not None and before.is_running:
                return before, False
            with _hold(port) as place:
                local = await self._start(name, program, command, place.getsockname()[1], variables)
                self._known[name] = local
                try:
                    await _until_it_answers(local)
                except BaseException:
                    await asyncio.shield(_end(local))
                    raise
            return local, True

    async def stop(self, name: str) -> bool:
        """End one and all that it started; whether it ran."""
        local = self.get(name)
        ran = local.is_running
        await _end(local)
        return ran

    async def close(self) -> None:
        await asyncio.gather(*(_end(local) for local in self._known.values()))

    async def _start(
        self, name: str, program: Program, command: tuple[str, ...], port: int, variables: dict[str, str]
    ) -> Local:
        log = self._folder / f"{name}.log"
        order = Order(list(command), str(program.folder), {**variables, "PORT": str(port)})
        with log.open("wb") as output:
            process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "agentrun.cli.mcp_platform.leash", stdin=asyncio.subprocess.PIPE, stdout=output,
                stderr=output, start_new_session=True, cwd=self._folder,
            )  # fmt: skip
        assert process.stdin is not None
        process.stdin.write(dumps(order) + b"\n")
        return Local(name, program, command, port, log, process)


def _hold(port: int) -> socket.socket:
    """The port, for nobody but the program until it answers; a Conflict if somebody has it. 0 is any that is free."""
    try:
        return hold_port(port)
    except SpawnFailed as error:
        raise Conflict(str(error), hint="Give another one in runOptions.port, or 0 for any.") from None


async def _until_it_answers(local: Local) -> None:
    deadline = asyncio.get_running_loop().time() + _START_S
    while asyncio.get_running_loop().time() < deadline:
        if not local.is_running:
            raise _failed(local, f"ended with exit code {local.process.returncode} before its port answered")
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", local.port)
        except OSError:
            await asyncio.sleep(_AGAIN_S)  # another program's start has no event to wait for
        else:
            writer.close()
            return
    raise _failed(local, f"did not listen on port {local.port} within {_START_S:g} s")


def _failed(local: Local, what: str) -> StartFailed:
    last = "\n".join(local.lines(_LAST_LINES)) or "It printed nothing."
    return StartFailed(
        f"{local.name} {what}. Its last lines:\n{last}", hint="The program has to listen on the port in PORT."
    )


async def _end(local: Local) -> None:
    if local.process.stdin is not None and not local.process.stdin.is_closing():
        local.process.stdin.close()
    with suppress(ProcessLookupError):
        await local.process.wait()
