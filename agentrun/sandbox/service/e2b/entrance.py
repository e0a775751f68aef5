"""Which sandbox a request is for, by its headers and the sandbox's own token, and as which user."""

from __future__ import annotations

import base64
import binascii

from starlette.requests import HTTPConnection

from agentrun.errors import RequestError
from agentrun.sandbox.service.e2b.leases import Lease, Leases
from agentrun.sandbox.values import HOME

_ID, _TOKEN, _TRAFFIC = "e2b-sandbox-id", "x-access-token", "e2b-traffic-access-token"
_USER = "user"


class Entrance:
    """To the sandboxes of a service."""

    def __init__(self, leases: Leases) -> None:
        self._leases = leases

    async def lease(self, connection: HTTPConnection, *, traffic: bool = False) -> Lease:
        """The sandbox, awake. `traffic`: the token for what runs in it is enough."""
        headers = connection.headers
        tokens = (headers.get(_TOKEN), headers.get(_TRAFFIC))
        lease = self._leases.with_token(headers.get(_ID, ""), *tokens, traffic=traffic)
        await lease.awake()
        check_user(_user_of(headers.get("authorization", "")))
        return lease


def check_user(name: str) -> None:
    """There is one user only, and whoever wants to be another is told."""
    if name not in ("", _USER):
        raise RequestError(
            f"There is no user {name!r} in a sandbox; all that runs in it runs as {_USER!r}.",
            hint="Leave the user out.",
        )


def located(path: str) -> str:
    """A path with ~ for the user's folder."""
    return HOME + path[1:] if path == "~" or path.startswith("~/") else path or HOME


def _user_of(authorization: str) -> str:
    scheme, _, value = authorization.partition(" ")
    if scheme.lower() != "basic":
        return ""
    try:
        return base64.b64decode(value, validate=True).decode("utf-8", "replace").partition(":")[0]
    except binascii.Error:
        raise RequestError("The Authorization header is no base64.") from None
