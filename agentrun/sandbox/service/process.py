"""The service's process: it listens, serves until a signal, and ends all its sandboxes."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable, Sequence
from ipaddress import ip_address

import uvicorn

from agentrun.errors import ConfigError
from agentrun.sandbox.service import app
from agentrun.sandbox.service.boxes import Boxes

_GRACE_S = 5


def serve(host: str, port: int, keys: Sequence[str], most: int, on_ready: Callable[[str], None]) -> None:
    """Serve until SIGINT or SIGTERM; `on_ready` gets the address."""
    if not keys and not _is_loopback(host):
        raise ConfigError(
            f"Refusing to listen on {host} without a key.",
            hint="Give one with --key, or as AGENTRUN_API_KEYS; `openssl rand -hex 24` makes one.",
        )
    with listen(host, port) as listener:
        asyncio.run(_serve(listener, keys, most, on_ready))


async def _serve(
    listener: socket.socket, keys: Sequence[str], most: int, on_ready: Callable[[str], None]
) -> None:
    options = uvicorn.Config(
        app.make(Boxes(most=most), keys),
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        lifespan="on",
        ws="websockets-sansio",
        timeout_graceful_shutdown=_GRACE_S,
    )
    on_ready(address(listener))
    await uvicorn.Server(options).serve([listener])


def listen(host: str, port: int) -> socket.socket:
    """A listening socket; a port that is taken is said at once."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=2048)
    except OSError as error:
        raise ConfigError(
            f"Cannot listen on {host}:{port}: {error.strerror or error}.",
            hint="Another port: --port, where 0 takes a free one.",
        ) from None


def address(listener: socket.socket, scheme: str = "http") -> str:
    host, port = listener.getsockname()[:2]
    return f"{scheme}://[{host}]:{port}" if ":" in host else f"{scheme}://{host}:{port}"


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
