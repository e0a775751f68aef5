"""Terminal: a command beside an instance, as it runs."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import msgspec
from websockets.asyncio.client import ClientConnection, connect, unix_connect
from websockets.exceptions import ConnectionClosed, WebSocketException

from agentrun.client import failures
from agentrun.client.access import Access
from agentrun.errors import AgentRunError, Unavailable


class _Said(msgspec.Struct):
    exit_code: int | None = None
    error: dict[str, Any] | None = None


class Terminal:
    """`read` until it is empty, then `exit_code` is known."""

    def __init__(self, socket: ClientConnection) -> None:
        self._socket = socket
        self.exit_code: int | None = None

    async def read(self) -> bytes:
        """What it printed next; empty at its end."""
        try:
            message = await self._socket.recv()
        except ConnectionClosed:
            if self.exit_code is None:
                raise AgentRunError("The command was cut off.", code="incomplete") from None
            return b""
        if isinstance(message, bytes):
            return message
        said = msgspec.json.decode(message, type=_Said)
        if said.error is not None:
            raise failures.of_shape(said.error)
        self.exit_code = said.exit_code
        return b""

    async def write(self, data: bytes) -> None:
        """To its standard input; empty closes it."""
        await self._send(data)

    async def resize(self, rows: int, columns: int) -> None:
        await self._send(msgspec.json.encode({"rows": rows, "columns": columns}).decode())

    async def begin(self, argv: list[str], folder: str, terminal: bool) -> None:
        """Say what is to run."""
        await self._send(msgspec.json.encode({"argv": argv, "folder": folder, "terminal": terminal}).decode())

    async def _send(self, message: bytes | str) -> None:
        # an end that has come already is told by `read`, with the reason for it
        with suppress(ConnectionClosed):
            await self._socket.send(message)

    async def close(self) -> None:
        """Leave; a command that still runs is ended."""
        await self._socket.close()


async def open_terminal(
    access: Access, path: str, argv: list[str], *, folder: str, terminal: bool
) -> Terminal:
    """Start a command beside an instance."""
    url = access.url.replace("http", "ws", 1).rstrip("/") + path
    options: dict[str, Any] = {"additional_headers": access.headers, "max_size": None, "proxy": None}
    try:
        if access.socket is not None:
            socket = await unix_connect(str(access.socket), url, **options)
        else:
            socket = await connect(url, **options)
    except (OSError, WebSocketException) as error:
        raise Unavailable(f"The platform cannot be reached: {error}.", code="unreachable") from None
    process = Terminal(socket)
    await process.begin(argv, folder, terminal)
    return process
