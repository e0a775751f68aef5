"""Where a tool may send requests: not to addresses inside the network that a document or a redirect smuggles in."""

from __future__ import annotations

import asyncio
import socket
from urllib.parse import urlsplit

from agentrun.errors import ToolFailed
from agentrun.utils.addresses import is_public


async def check(url: str) -> None:
    """Raise ToolFailed unless every address behind the host is a public one."""
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ToolFailed(f"{parts.scheme or 'no'} address: only http and https are allowed.")
    loop = asyncio.get_running_loop()
    try:
        found = await loop.getaddrinfo(parts.hostname, parts.port or 443, type=socket.SOCK_STREAM)
    except OSError:
        raise ToolFailed(f"{parts.hostname} cannot be found.") from None
    for *_, address in found:
        if not is_public(str(address[0])):
            raise ToolFailed(f"{parts.hostname} is inside the network, where this tool may not go.")
