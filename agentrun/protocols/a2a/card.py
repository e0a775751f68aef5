"""The agent card: what a caller has to know before it asks."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from agentrun.config import Settings
from agentrun.version import __version__

_HOST = re.compile(r"[\w.\-:\[\]]{1,255}", re.ASCII)
_PATH = re.compile(r"(/[\w.~\-]+)*", re.ASCII)
_MODES = ["text/plain", "application/json"]


def card(settings: Settings, headers: Mapping[str, str], bot_id: str | None = None) -> dict[str, Any]:
    """The card for somebody who reached this server by these headers, of this bot or of who answers otherwise."""
    name = bot_id or (settings.models[0] if settings.models else "agentrun")
    url = f"{address(settings, headers)}/a2a"
    plain = [{"url": url, "protocolBinding": "HTTP+JSON", "protocolVersion": "1.0"}] if bot_id is None else []
    url = url if bot_id is None else f"{url}/{bot_id}"
    written: dict[str, Any] = {
        **_before_1(url),
        "name": name,
        "description": f"The agent {name}, served by AgentRun.",
        "version": __version__,
        "supportedInterfaces": [
            {"url": url, "protocolBinding": "JSONRPC", "protocolVersion": "1.0"},
            *plain,
            {"url": url, "protocolBinding": "JSONRPC", "protocolVersion": "0.3"},
        ],
        "capabilities": {"streaming": True, "pushNotifications": True, "extendedAgentCard": False},
        "defaultInputModes": [*_MODES, "image/*", "audio/*"],
        "defaultOutputModes": _MODES,
        "skills": [
            {
                "id": "ask",
                "name": f"Ask {name}",
                "description": "Answers a message, and goes on with a conversation by its context.",
                "tags": ["chat"],
            }
        ],
    }
    if settings.api_keys:
        scheme = {"httpAuthSecurityScheme": {"scheme": "Bearer"}, "type": "http", "scheme": "bearer"}
        written["securitySchemes"] = {"bearer": scheme}
        written["security"] = [{"bearer": []}]  # as 0.3 has it
        written["securityRequirements"] = [{"schemes": {"bearer": {"list": []}}}]
    return written


def _before_1(url: str) -> dict[str, Any]:
    """What clients of 0.3 look at."""
    return {"url": url, "preferredTransport": "JSONRPC", "protocolVersion": "0.3.0"}


def address(settings: Settings, headers: Mapping[str, str]) -> str:
    """Where the caller found this server. What a proxy says of itself is believed: only the caller reads the answer."""
    host = headers.get("x-forwarded-host") or headers.get("host", "")
    if not _HOST.fullmatch(host):
        host = f"{settings.host}:{settings.port}"
    scheme = headers.get("x-forwarded-proto")
    if scheme not in ("http", "https"):
        scheme = "https" if settings.ssl_certfile else "http"
    path = headers.get("x-forwarded-prefix", "").rstrip("/")
    return f"{scheme}://{host}{path if _PATH.fullmatch(path) else ''}"
