"""Which instance takes a request. Pure, but for giving an instance to a session that is kept apart."""

from __future__ import annotations

from collections.abc import Iterable

from agentrun.platform.instances.live import Live


def shared(ready: list[Live], limit: int, session: str | None) -> Live | None:
    """The session's own where that has room, else the least busy one."""
    if len(ready) == 1:
        only = ready[0]
        return only if only.in_flight < limit else None
    free = [live for live in ready if live.in_flight < limit]
    if not free:
        return None
    if session is not None:
        return max(free, key=lambda live: live.affinity(session))
    return min(free, key=lambda live: live.in_flight)


def apart(ready: Iterable[Live], limit: int, session: str) -> Live | None:
    """The session's instance, or one that has been nobody's yet."""
    fresh = None
    for live in ready:
        if live.session == session:
            return live if live.in_flight < limit else None
        if live.session is None and fresh is None:
            fresh = live
    if fresh is not None:
        fresh.session = session
    return fresh
