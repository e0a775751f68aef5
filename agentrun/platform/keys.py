"""Access keys: kept as hashes, each with what it may do and how often."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Iterable
from hashlib import sha256

from agentrun.errors import PermissionDenied, RateLimited, Unauthorized
from agentrun.resources import Key, Scope

_MINUTE_S = 60.0


def new_text() -> str:
    """A key's text: 256 random bits, so that a plain hash of it gives nothing away."""
    return f"ark_{secrets.token_urlsafe(32)}"


def hash_of(text: str) -> str:
    return sha256(text.encode()).hexdigest()


class Keys:
    """The keys there are, looked up in memory."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._known: dict[str, Key] = {}
        self._left: dict[str, tuple[float, float]] = {}  # of a key's id: requests left, and when that was

    def replace(self, known: Iterable[tuple[str, Key]]) -> None:
        """The hashes and keys of today."""
        self._known = dict(known)

    def knows(self, text: str) -> bool:
        """Whether it is one of them. An agent's callers may send keys that are not ours."""
        return hash_of(text) in self._known

    def check(self, text: str | None, scope: Scope, runtime: str | None = None) -> Key:
        """The key, if it may do this now."""
        key = self._known.get(hash_of(text)) if text else None
        if key is None:
            said = "That key is not known." if text else "A key is needed."
            raise Unauthorized(said, hint="Make one with: agentrun keys create")
        if scope not in key.scopes:
            raise PermissionDenied(f"The key {key.name} may not {scope}; it may {', '.join(key.scopes)}.")
        if key.runtimes and runtime != "" and runtime not in key.runtimes:
            raise PermissionDenied(f"The key {key.name} is for {', '.join(key.runtimes)} only.")
        self._count(key)
        return key

    def _count(self, key: Key) -> None:
        """A bucket that holds a minute's requests and fills evenly."""
        now = self._clock()
        left, since = self._left.get(key.id, (float(key.per_minute), now))
        left = min(float(key.per_minute), left + (now - since) * key.per_minute / _MINUTE_S)
        if left < 1:
            wait = int((1 - left) * _MINUTE_S / key.per_minute) + 1
            raise RateLimited(
                f"The key {key.name} is used more than {key.per_minute} times a minute.",
                headers={"retry-after": str(wait)},
            )
        self._left[key.id] = (left - 1, now)
