"""Retries: a request that a client sends again finds the Run that the first one started.

The OpenAI clients retry time-outs and broken connections twice, without saying that it is the same request. An agent
with side effects must not run three times: so a repetition joins the Run that is there.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

from agentrun.errors import Conflict
from agentrun.run import Run, Runs

_GRACE_S = 0.9  # between a disconnect and the client's first retry pass about 0.5 s


class Retries:
    """Finds Runs by idempotency key, or by caller and body where the client says that it retries."""

    def __init__(self, runs: Runs) -> None:
        self._runs = runs
        self._known: dict[
            tuple[str, bytes], tuple[str, bytes]
        ] = {}  # (owner, key) -> (run id, body's digest)

    def find(self, headers: Mapping[str, str], owner: str, body: bytes) -> tuple[Attempt | None, Run | None]:
        """What to remember the coming Run by, if anything; and the Run that is there already, if one is."""
        named = headers.get("idempotency-key")
        count = headers.get("x-stainless-retry-count")
        if named is None and count is None:
            return None, None
        digest = hashlib.blake2b(body, digest_size=16).digest()
        key = (owner, named.encode() if named is not None else digest)
        attempt = Attempt(self, key, digest)
        if named is None and count == "0":
            return attempt, None  # asked anew, not again
        known = self._known.get(key)
        run = self._runs.get(known[0], owner) if known is not None else None
        if known is None or run is None:
            return attempt, None
        if known[1] != digest:
            raise Conflict(
                f"The Idempotency-Key {named!r} was used with another body.",
                code="idempotency_key_reused",
                headers={"x-should-retry": "false"},
            )
        return None, run

    def remember(self, key: tuple[str, bytes], run: Run, digest: bytes) -> None:
        self._known[key] = (run.id, digest)
        if len(self._known) > 2 * (self._runs.limits.kept_runs + self._runs.active) + 64:
            self._known = {k: v for k, v in self._known.items() if self._runs.get(v[0], k[0]) is not None}


class Attempt:
    """One request whose Run may be asked for again."""

    grace_s = _GRACE_S

    def __init__(self, retries: Retries, key: tuple[str, bytes], digest: bytes) -> None:
        self._retries = retries
        self._key = key
        self._digest = digest

    def started(self, run: Run) -> None:
        self._retries.remember(self._key, run, self._digest)
