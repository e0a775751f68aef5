"""Callers: which key is this request made with, and so whose sandboxes does it see?"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Annotated

from fastapi import Depends
from starlette.requests import HTTPConnection, Request

from agentrun.errors import Unauthorized
from agentrun.sandbox.service import signatures

_UNKNOWN = "This API key is not known."


class Callers:
    """The known keys. Without any, everybody who reaches the service is the same owner."""

    def __init__(self, keys: Sequence[str]) -> None:
        self._names = {_digest(key): name_of(key) for key in keys}
        self._keys = tuple(keys)

    async def owner(self, connection: HTTPConnection) -> str:
        """The name of the key; an empty one where no key is asked for."""
        if not self._keys:
            return ""
        key = _sent(connection)
        if key is not None:
            return self.named(key)
        signed = signatures.read(
            connection.scope.get("method", "GET"),
            connection.scope.get("raw_path", b"").decode("ascii", "replace"),
            connection.url.query,
            connection.headers,
        )
        if signed is None:
            raise Unauthorized("No API key was sent.", hint="Send it as `X-API-KEY: KEY`.")
        return await self._signer(signed, connection)

    def named(self, key: str) -> str:
        """Whose key this is; the look-up takes the same time whatever is sent."""
        name = self._names.get(_digest(key))
        if name is None:
            raise Unauthorized(_UNKNOWN)
        return name

    async def _signer(self, signed: signatures.Signed, connection: HTTPConnection) -> str:
        for key in self._keys:
            if signed.is_by(key):
                if signed.body_digest is not None and isinstance(connection, Request):
                    if not signed.is_over(await connection.body()):
                        raise Unauthorized("The body is not the one that was signed.")
                return name_of(key)
        raise Unauthorized("The request was not signed with a key that is known.")


def name_of(key: str) -> str:
    """What the owner of a key is called."""
    return f"key-{_digest(key).hex()[:12]}"


def _sent(connection: HTTPConnection) -> str | None:
    """`Authorization` counts last: beside another key it is for what listens in the sandbox."""
    headers = connection.headers
    if "x-api-key" in headers or "agentrun-authorization" in headers:
        return headers.get("x-api-key")
    scheme, _, value = headers.get("authorization", "").partition(" ")
    return value.strip() if scheme.lower() == "bearer" and value.strip() else None


def _digest(key: str) -> bytes:
    return hashlib.sha256(key.encode("utf-8", "surrogateescape")).digest()


async def _owner(connection: HTTPConnection) -> str:
    callers: Callers = connection.app.state.callers
    return await callers.owner(connection)


Owner = Annotated[str, Depends(_owner)]
"""A parameter of a route: whose request it is. Without a known key the route is not reached."""
