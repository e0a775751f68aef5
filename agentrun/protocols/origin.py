"""Which web pages may call what browsers let every page call: WebSockets, and servers on this machine."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from urllib.parse import urlsplit

from agentrun.errors import PermissionDenied

_HERE = ("localhost", "127.0.0.1", "::1")


def check_origin(allowed: Sequence[str], headers: Mapping[str, str]) -> None:
    """Refuse pages of elsewhere: a name of theirs may have been made to lead here. Programs send no origin."""
    origin = headers.get("origin")
    if origin is None or origin in allowed or "*" in allowed:
        return
    if _host_of(origin) not in _HERE:
        raise PermissionDenied(
            f"The origin {origin!r} may not call here.", hint="The server's setting is cors_origins."
        )


def _host_of(origin: str) -> str | None:
    try:
        return urlsplit(origin).hostname
    except ValueError:
        return None
