"""FakeDriver: instances are little servers on the loop of the test, which the test can hold, break and count."""

from __future__ import annotations

import asyncio
import json
import socket
import time
from contextlib import suppress

from agentrun.errors import DriverError, NotFound
from agentrun.platform.drivers.driver import Ended, Handle, Stats


class FakeInstance:
    """Answers on a port of its own. `/stream` gives a piece and waits for `more`; `/hold` waits before it answers."""

    def __init__(self, launch) -> None:
        self.launch = launch
        self.more = asyncio.Event()
        self.heads: list[bytes] = []
        self.bodies: list[bytes] = []
        self.health = 200
        self.left_alone = 0  # requests whose clients have gone
        # that requests came over, not looks at its health
        self.connections: set[asyncio.StreamWriter] = set()
        self._writers: set[asyncio.StreamWriter] = set()

    async def open(self) -> None:
        place = socket.create_server(("127.0.0.1", self.launch.port))
        self.port = place.getsockname()[1]
        # nothing is waited for between the two: who is cancelled has a server that can be closed
        self._server = await asyncio.start_server(self._serve, sock=place, start_serving=False)
        await self._server.start_serving()

    def die(self) -> None:
        self._server.close()
        for writer in self._writers:
            writer.transport.abort()

    async def _serve(self, reader, writer) -> None:
        self._writers.add(writer)
        try:
            while head := await self._head(reader):
                await self._answer(head, reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            self._writers.discard(writer)
            writer.close()
            with suppress(OSError):
                await writer.wait_closed()

    async def _head(self, reader) -> bytes:
        try:
            return await reader.readuntil(b"\r\n\r\n")
        except asyncio.IncompleteReadError:
            return b""

    async def _answer(self, head, reader, writer) -> None:
        method, path, _ = head.split(b" ", 2)
        body = await self._body(head, reader)
        if path == b"/health":
            writer.write(b"HTTP/1.1 %d X\r\ncontent-length: 0\r\n\r\n" % self.health)
            return
        self.connections.add(writer)
        self.heads.append(head)
        self.bodies.append(body)
        path = path.partition(b"?")[0]
        if path == b"/websocket":
            await self._echo(reader, writer)
        elif path == b"/stream":
            await self._stream(reader, writer)
        elif path == b"/endless":
            writer.write(b"HTTP/1.1 200 OK\r\n\r\nuntil the end")
            writer.close()
        elif path == b"/length":
            writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf")
            await self._told_to_go_on(reader)
        elif path == b"/nonsense":
            writer.write(b"SSH-2.0-hello\r\n\r\n")
        else:
            if path == b"/hold":
                await self._told_to_go_on(reader)
            status = int(path[1:]) if path[1:].isdigit() else 200
            text = json.dumps({"version": self.launch.version, "body": body.decode("latin-1")}).encode()
            if method == b"HEAD":
                text = b""
            early = b"HTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\n" if path == b"/early" else b""
            writer.write(
                early + b"HTTP/1.1 %d X\r\ncontent-length: %d\r\nx-own: 1\r\nkeep-alive: timeout=5\r\n"
                b"x-request-id: theirs\r\n\r\n%b" % (status, len(text), text)
            )

    async def _stream(self, reader, writer) -> None:
        head = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
        writer.write(head + _chunk(b"data: 1\n\n"))
        await self._told_to_go_on(reader)
        writer.write(_chunk(b"data: 2\n\n") + b"0\r\n\r\n")

    async def _told_to_go_on(self, reader) -> None:
        """ConnectionError where the client goes before that."""
        told, gone = asyncio.ensure_future(self.more.wait()), asyncio.ensure_future(reader.read(1))
        try:
            await asyncio.wait((told, gone), return_when=asyncio.FIRST_COMPLETED)
        finally:
            told.cancel()
            gone.cancel()
            await asyncio.wait((told, gone))
        if not self.more.is_set():
            self.left_alone += 1
            raise ConnectionError

    async def _echo(self, reader, writer) -> None:
        writer.write(b"HTTP/1.1 101 Switching\r\nupgrade: websocket\r\nconnection: upgrade\r\n\r\n")
        while data := await reader.read(65536):
            writer.write(data)

    async def _body(self, head, reader) -> bytes:
        lower = head.lower()
        if b"transfer-encoding: chunked" in lower:
            body = b""
            while size := int(await reader.readuntil(b"\r\n"), 16):
                body += (await reader.readexactly(size + 2))[:-2]
            await reader.readuntil(b"\r\n")
            return body
        at = lower.find(b"content-length:")
        return await reader.readexactly(int(lower[at + 15 :].split(b"\r\n")[0])) if at >= 0 else b""


def _chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


class FakeExec:
    """Prints what it was asked to run."""

    def __init__(self, argv) -> None:
        self._left = [" ".join(argv).encode() + b"\n"]

    async def read(self) -> bytes:
        return self._left.pop() if self._left else b""

    async def write(self, data: bytes) -> None: ...

    def resize(self, rows: int, columns: int) -> None: ...

    async def wait(self) -> int:
        return 0

    async def kill(self) -> None: ...


class FakeDriver:
    """`failures` are the reasons for which the next instances end as soon as they were started."""

    name = "fake"
    capabilities = frozenset(("exec",))

    def __init__(self, running: dict[str, FakeInstance] | None = None) -> None:
        self.running = running if running is not None else {}
        self.handles: dict[str, Handle] = {}
        self.started = 0
        self.failures: list[str] = []
        self.usage = Stats(0.0, 0.0)
        self.may_start = asyncio.Event()
        self.may_start.set()
        self._on_end = lambda _: None

    async def open(self, on_end):
        self._on_end = on_end
        return await self.list()

    async def start(self, launch) -> Handle:
        await self.may_start.wait()
        if launch.command[0].startswith("/no/"):
            raise DriverError(f"{launch.command[0]} is not there.")
        if launch.instance in self.running:
            return self._handle(self.running[launch.instance])
        self.started += 1
        one = self.running[launch.instance] = FakeInstance(launch)
        await one.open()
        if self.failures:
            asyncio.get_running_loop().call_soon(self.kill, launch.instance, self.failures.pop(0))
        return self._handle(one)

    async def stop(self, instance: str, *, grace_s: float) -> None:
        self.kill(instance, "stopped", asked=True)

    def kill(
        self, instance: str, reason: str = "killed by SIGKILL", *, asked: bool = False, lost: bool = False
    ) -> None:
        one = self.running.pop(instance, None)
        if one is not None:
            one.die()
            self._on_end(Ended(instance, reason, asked=asked, lost=lost))

    async def list(self):
        return tuple(self._handle(one) for one in self.running.values())

    async def stats(self):
        return dict.fromkeys(self.running, self.usage)

    async def exec(self, instance, argv, *, folder="", terminal=False):
        if instance not in self.running:
            raise NotFound(f"There is no instance {instance}.")
        return FakeExec(argv)

    def owns(self, pid: int) -> bool:
        return False

    async def close(self, *, stop: bool) -> None:
        for instance in list(self.running) if stop else ():
            self.kill(instance, asked=True)

    def _handle(self, one: FakeInstance) -> Handle:
        launch = one.launch
        return Handle(launch.instance, launch.version, "127.0.0.1", one.port, 1, time.time(), launch)
