"""The socket that a server listens on: an address, a Unix socket, or one inherited from the process that started it."""

from __future__ import annotations

import os
import socket
import stat

from agentrun.config import Settings
from agentrun.errors import ConfigError

_BACKLOG = 2048


def listen(settings: Settings) -> socket.socket:
    """Bind it now, so that a port that is taken is a clear error before anything has started."""
    if settings.fd is not None:
        try:
            return socket.socket(fileno=settings.fd)
        except OSError as error:
            raise ConfigError(f"File descriptor {settings.fd} is no socket: {error.strerror}.") from None
    try:
        return _unix(settings.uds) if settings.uds is not None else _tcp(settings.host, settings.port)
    except OSError as error:
        raise ConfigError(
            f"Cannot listen on {address(settings)}: {error.strerror or error}.",
            hint="Another port: AGENTRUN_PORT, or 0 for a free one.",
        ) from None


def _tcp(host: str, port: int) -> socket.socket:
    family, _, _, _, where = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[
        0
    ]
    listener = socket.socket(family)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        listener.bind(where)
        listener.listen(_BACKLOG)
    except OSError:
        listener.close()
        raise
    return listener


def _unix(path: str) -> socket.socket:
    """Only this user may connect: whoever can is past the question who may reach the address."""
    listener = socket.socket(socket.AF_UNIX)
    try:
        if os.path.exists(path) and stat.S_ISSOCK(os.stat(path).st_mode):
            _remove_if_dead(path)
        before = os.umask(0o177)
        try:
            listener.bind(path)
        finally:
            os.umask(before)
        listener.listen(_BACKLOG)
    except OSError:
        listener.close()
        raise
    return listener


def _remove_if_dead(path: str) -> None:
    with socket.socket(socket.AF_UNIX) as probe:
        try:
            probe.connect(path)
        except OSError:
            os.unlink(path)


def address(settings: Settings, listener: socket.socket | None = None) -> str:
    """As a user writes it; with the port that was found where any free one was asked for."""
    if settings.uds is not None:
        return f"unix:{settings.uds}"
    scheme = "https" if settings.ssl_certfile else "http"
    host, port = settings.host, settings.port
    if listener is not None and listener.family != socket.AF_UNIX:
        host, port = (host if settings.fd is None else listener.getsockname()[0]), listener.getsockname()[1]
    return f"{scheme}://[{host}]:{port}" if ":" in host else f"{scheme}://{host}:{port}"
