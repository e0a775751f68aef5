"""The first word of a guest that has been started without a warm parent."""

from __future__ import annotations

import asyncio
import socket


async def ready(end: socket.socket) -> None:
    """Until it says that it is there; EOFError if it ends before."""
    end.setblocking(False)
    data = b""
    while len(data) < 4 or len(data) < 4 + int.from_bytes(data[:4], "little"):
        piece = await asyncio.get_running_loop().sock_recv(end, 4096)
        if not piece:
            raise EOFError
        data += piece
