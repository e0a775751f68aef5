"""The only way out of a sandbox: an HTTP proxy that knows the allowed hosts, and looks their addresses up itself."""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from urllib.parse import urlsplit

from agentrun.sandbox import gate, records
from agentrun.utils.addresses import is_public

logger = logging.getLogger(__name__)

_HEAD_S, _IDLE_S, _CONNECT_S = 30, 300, 20
_MOST_HEAD = 1 << 16
_PIECE = 1 << 16
_MOST_CONNECTIONS = 256
_HOP_BY_HOP = ("connection", "proxy-connection", "proxy-authorization", "keep-alive", "upgrade", "te", "host")

Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]
Connect = Callable[[str, int], Awaitable[Streams]]


class Refused(Exception):
    """The request is not let out; says with what status and why."""

    def __init__(self, status: str, why: str) -> None:
        super().__init__(why)
        self.status = status


async def connect_publicly(host: str, port: int) -> Streams:
    """A connection to a public address of this host. What was checked is what is connected to."""
    loop = asyncio.get_running_loop()
    try:
        found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except OSError as error:
        raise Refused("502 Bad Gateway", f"{host} cannot be looked up: {error.strerror}") from None
    addresses = [str(entry[4][0]) for entry in found]
    public = [address for address in addresses if is_public(address)]
    if not public:
        raise Refused("403 Forbidden", f"{host} has no public address")
    for address in public:
        with suppress(OSError, asyncio.TimeoutError):
            return await asyncio.wait_for(asyncio.open_connection(address, port), _CONNECT_S)
    raise Refused("502 Bad Gateway", f"{host} cannot be reached")


class Proxy:
    """Serves one sandbox, on the socket that listens inside of it."""

    environment = dict.fromkeys(
        ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"), "http://127.0.0.1:3128"
    ) | {"no_proxy": "localhost,127.0.0.1", "NO_PROXY": "localhost,127.0.0.1"}

    def __init__(self, listener: socket.socket, hosts: Sequence[str], id: str) -> None:
        self._hosts = hosts
        self._id = id
        self.connect: Connect = connect_publicly
        self._listener = listener
        self._connections: set[asyncio.Task[None]] = set()
        self._serving = asyncio.ensure_future(self._serve())

    async def _serve(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            try:
                accepted, _ = await loop.sock_accept(self._listener)
            except OSError:
                return
            if len(self._connections) >= _MOST_CONNECTIONS:
                accepted.close()
                continue
            task = asyncio.ensure_future(self._answer(accepted))
            self._connections.add(task)
            task.add_done_callback(self._connections.discard)

    def close(self) -> None:
        self._serving.cancel()
        for task in self._connections:
            task.cancel()
        self._listener.close()

    async def _answer(self, accepted: socket.socket) -> None:
        reader, writer = await asyncio.open_connection(sock=accepted, limit=_MOST_HEAD)
        try:
            head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), _HEAD_S)
            await self._pass_on(head, reader, writer)
        except Refused as error:
            logger.info("Sandbox %s was refused the network: %s.", self._id, error)
            records.note(self._id, f"network refused: {error}")
            writer.write(_refusal(error))
        except (OSError, EOFError, asyncio.TimeoutError, asyncio.LimitOverrunError, ValueError):
            pass  # whoever asked is gone, or says nothing that could be passed on
        finally:
            writer.close()
            with suppress(OSError, asyncio.TimeoutError):
                await asyncio.wait_for(writer.wait_closed(), 5)

    async def _pass_on(self, head: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        line, _, rest = head.decode("latin-1").partition("\r\n")
        words = line.split(" ")
        if len(words) != 3:
            raise Refused("400 Bad Request", "this is no request")
        if words[0] == "CONNECT":
            await self._tunnel(words[1], reader, writer)
        else:
            await self._forward(words[0], words[1], rest, reader, writer)

    async def _tunnel(self, target: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        host, _, port = target.rpartition(":")
        self._check(host, int(port) if port.isascii() and port.isdigit() else 0)
        if port == "80":
            raise Refused("403 Forbidden", f"port 80 of {host} is no place for a tunnel")
        far = await self.connect(host, int(port))
        try:
            writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
            hello = await asyncio.wait_for(_first_message(reader), _HEAD_S)
            if gate.server_name(hello) != host.lower().rstrip("."):
                # the connection is closed: nothing has been sent over it
                raise Refused("403 Forbidden", f"a tunnel to {host} was used for another name")
            far[1].write(hello)
            await _both_ways((reader, writer), far)
        except Refused as error:
            logger.info("Sandbox %s was refused the network: %s.", self._id, error)
            records.note(self._id, f"network refused: {error}")
        finally:
            far[1].close()

    async def _forward(
        self,
        method: str,
        url: str,
        rest: str,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
    ) -> None:
        parts = urlsplit(url)
        if parts.scheme != "http" or not parts.hostname:
            raise Refused("400 Bad Request", "the request is not for an http:// address")
        host, port = parts.hostname, parts.port or 80
        self._check(host, port)
        headers = [line for line in rest.split("\r\n") if line]
        length = _body_length(headers)
        kept = [line for line in headers if line.partition(":")[0].strip().lower() not in _HOP_BY_HOP]
        path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        authority = host if port == 80 else f"{host}:{port}"
        lines = [f"{method} {path} HTTP/1.1", f"host: {authority}", *kept, "connection: close", "", ""]
        far_reader, far_writer = await self.connect(host, port)
        try:
            far_writer.write("\r\n".join(lines).encode("latin-1"))
            sending = asyncio.ensure_future(_copy(reader, far_writer, length))
            try:
                await _copy(far_reader, writer, None)
            finally:
                sending.cancel()
        finally:
            far_writer.close()

    def _check(self, host: str, port: int) -> None:
        if not gate.allows(self._hosts, host, port):
            raise Refused("403 Forbidden", f"{host}:{port} is not allowed by the sandbox's network policy")
        records.note(self._id, f"network allowed: {host}:{port}")


def _body_length(headers: list[str]) -> int:
    """How much of what follows belongs to this request; nothing after it is passed on."""
    lengths: set[str] = set()
    for line in headers:
        name, colon, value = line.partition(":")
        if not colon or line[0] in " \t" or "\n" in line or "\0" in line:
            raise Refused("400 Bad Request", "a header is malformed")
        if name.strip().lower() == "transfer-encoding":
            raise Refused("411 Length Required", "a body needs a length")
        if name.strip().lower() == "content-length":
            lengths.add(value.strip())
    if len(lengths) > 1 or not all(value.isascii() and value.isdigit() for value in lengths):
        raise Refused("400 Bad Request", "the length is unclear")
    return int(next(iter(lengths), "0"))


async def _first_message(reader: asyncio.StreamReader) -> bytes:
    start = await reader.readexactly(5)
    size = gate.hello_size(start)
    return start if size is None else start + await reader.readexactly(size - 5)


async def _both_ways(near: Streams, far: Streams) -> None:
    copies = [
        asyncio.ensure_future(_copy(near[0], far[1], None)),
        asyncio.ensure_future(_copy(far[0], near[1], None)),
    ]
    try:
        await asyncio.wait(copies)
    finally:
        for copy in copies:
            copy.cancel()


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, length: int | None) -> None:
    """What comes in at one end goes out at the other, no faster than it is taken."""
    left = length
    try:
        while left is None or left > 0:
            data = await asyncio.wait_for(reader.read(_PIECE if left is None else min(_PIECE, left)), _IDLE_S)
            if not data:
                break
            left = None if left is None else left - len(data)
            writer.write(data)
            await writer.drain()
        if length is None and writer.can_write_eof():
            writer.write_eof()
    except (OSError, asyncio.TimeoutError):
        return


def _refusal(error: Refused) -> bytes:
    body = f"{error}.\n".encode()
    return (
        f"HTTP/1.1 {error.status}\r\ncontent-type: text/plain\r\ncontent-length: {len(body)}\r\nconnection: close\r\n\r\n"
    ).encode() + body
