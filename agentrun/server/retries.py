"""Retries: a request that a client sends again finds the Run that the first one started.

The OpenAI clients retry time-outs and broken connections twice, without saying that it is the same request. An agent
with side effects must not run three times: so a repetition joins the Run that is there.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Mapping

from agentrun.errors import Conflict
from agentrun.events import RunFailed
from agentrun.run import Run, Runs

_GRACE_S = {"0": 0.9, "1": 1.5}  # after attempt 0 the clients wait up to 0.5 s, after attempt 1 up to 1 s
_OF_THE_REQUEST = ("x-session-id", "x-user-id")  # headers without which a request is not the same one
_Key = tuple[str, bytes]  # owner, and the idempotency key or the digest


class Retries:
    """Finds Runs by idempotency key, or by caller and body where the client says that it retries."""

    def __init__(self, runs: Runs) -> None:
        self._runs = runs
        self._known: dict[_Key, tuple[str, bytes]] = {}  # -> run id, digest
        self._starting: dict[_Key, Attempt] = {}

    def find(
        self, headers: Mapping[str, str], owner: str, body: bytes
    ) -> tuple[Attempt | Once, Run | None] | asyncio.Event:
        """The attempt, and the Run that is there already, if one is. An event, where that will be known once it is set."""
        named = headers.get("idempotency-key")
        count = headers.get("x-stainless-retry-count")
        if named is None and count is None:
            return ONCE, None
        digest = _digest(headers, body)
        key = (owner, named.encode() if named is not None else digest)
        anew = named is None and count == "0"  # asked anew, not again
        if not anew and key in self._starting:
            return self._starting[key].settled
        run = None if anew else self._joinable(key, digest)
        return Attempt(self, key, digest, _GRACE_S.get(count or "", 0.0)), run

    def _joinable(self, key: _Key, digest: bytes) -> Run | None:
        run_id, digest_then = self._known.get(key, ("", digest))
        run = self._runs.get(run_id, key[0])
        if run is None:
            return None
        if digest_then != digest:
            raise Conflict(
                f"The Idempotency-Key {key[1].decode()!r} was used with another request.",
                code="idempotency_key_reused",
                headers={"x-should-retry": "false"},
            )
        if run.closing and not isinstance(run.ending, RunFailed):
            return None  # stopped because its client had gone: half an answer is none
        return run

    def starting(self, attempt: Attempt) -> None:
        """`attempt` will have its Run, but not at once."""
        self._starting[attempt.key] = attempt

    def settle(self, attempt: Attempt) -> None:
        """`attempt` has its Run, or gets none."""
        if self._starting.get(attempt.key) is attempt:
            del self._starting[attempt.key]

    def remember(self, key: _Key, run: Run, digest: bytes) -> None:
        self._known[key] = (run.id, digest)
        if len(self._known) > 2 * (self._runs.limits.kept_runs + len(self._runs.active)) + 64:
            self._known = {k: v for k, v in self._known.items() if self._runs.get(v[0], k[0]) is not None}


class Attempt:
    """One request whose Run may be asked for again; others of the same key wait between `starting` and `settle`.

    Until `grace_s` after its client has gone, the client may be back.
    """

    def __init__(self, retries: Retries, key: _Key, digest: bytes, grace_s: float) -> None:
        self.key = key
        self.grace_s = grace_s
        self.settled = asyncio.Event()
        self._digest = digest
        self._retries = retries

    def starting(self) -> None:
        self._retries.starting(self)

    def settle(self) -> None:
        self._retries.settle(self)
        self.settled.set()

    def started(self, run: Run) -> None:
        self._retries.remember(self.key, run, self._digest)


class Once:
    """A request that nobody will know again."""

    grace_s = 0.0

    def starting(self) -> None:
        pass

    def settle(self) -> None:
        pass

    def started(self, run: Run) -> None:
        pass


ONCE = Once()


def _digest(headers: Mapping[str, str], body: bytes) -> bytes:
    digest = hashlib.blake2b(body, digest_size=16)
    for name in _OF_THE_REQUEST:
        digest.update(b"\0" + headers.get(name, "").encode())
    return digest.digest()
