"""API keys: which caller is this?"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence

from agentrun.errors import Unauthorized


class Keys:
    """Known keys, kept as hashes; the look-up takes the same time whatever is sent."""

    def __init__(self, keys: Sequence[str]) -> None:
        self._owners = {_digest(key): f"key-{_digest(key).hex()[:8]}" for key in keys}

    @property
    def asked_for(self) -> bool:
        """Whether callers need one."""
        return bool(self._owners)

    def owner(self, headers: Mapping[str, str]) -> str:
        """Who calls: a name for the key, or an empty string where no key is asked for."""
        if not self._owners:
            return ""
        sent = _sent_key(headers)
        if sent is None:
            raise Unauthorized(
                "No API key was sent.",
                hint="Send it as `Authorization: Bearer KEY`.",
                headers={"www-authenticate": "Bearer"},
            )
        owner = self._owners.get(_digest(sent))
        if owner is None:
            raise Unauthorized("This API key is not known.", headers={"www-authenticate": "Bearer"})
        return owner


def _sent_key(headers: Mapping[str, str]) -> str | None:
    scheme, _, value = headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer" and value.strip():
        return value.strip()
    return headers.get("x-api-key") or headers.get("api-key")


def _digest(key: str) -> bytes:
    return hashlib.sha256(key.encode("utf-8", "surrogateescape")).digest()
