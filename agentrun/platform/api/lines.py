"""Logs as answers: those that are there, then those to come."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from agentrun.errors import RequestError
from agentrun.platform.api.ask import Ask
from agentrun.platform.logs.logs import KINDS, Line, Logs, Query
from agentrun.resources import LogLine

_LATEST = 2.0**35  # seconds since 1970 that a time may be, which is in the year 3058


async def read(logs: Logs, runtime: str, query: Query, *, follow: bool) -> AsyncIterator[LogLine]:
    """The lines that fit, the oldest first; with `follow`, those to come as well."""
    for line in await asyncio.to_thread(logs.search, runtime, query):
        yield _shown(line)
    if follow:
        async for line in logs.follow(runtime, query):
            yield _shown(line)


def query_of(ask: Ask) -> Query:
    """What the URL asks for."""
    kind = ask.query.get("kind")
    if kind is not None and kind not in KINDS:
        raise RequestError(f"There are no logs of kind {kind!r}.", hint=f"There are: {', '.join(KINDS)}.")
    return Query(
        since=_moment(ask, "since"),
        until=_moment(ask, "until"),
        request=ask.query.get("request"),
        instance=ask.query.get("instance"),
        text=ask.query.get("search"),
        failed={"fail": True, "success": False}.get(ask.query.get("type", "")),
        kind=kind,
        limit=ask.limit(1000),
    )


def _moment(ask: Ask, name: str) -> float | None:
    found = ask.number(name)
    if found is not None and not 0 <= found <= _LATEST:
        raise RequestError(f"{name}={found:g} is no time in seconds since 1970.", param=name)
    return found


def _shown(line: Line) -> LogLine:
    record = line.record
    if record is None:
        return LogLine(line.time, line.kind, line.text, instance_id=line.instance)
    return LogLine(
        line.time,
        line.kind,
        line.text,
        version=str(record.version or ""),
        instance_id=line.instance,
        request_id=record.request,
        status=record.status,
        ms=record.ms,
    )
