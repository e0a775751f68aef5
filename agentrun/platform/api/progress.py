"""Progress: what an action says while it works, and what it ends with; one JSON value a line."""

from __future__ import annotations

import asyncio
import errno
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import msgspec

from agentrun.errors import AgentRunError
from agentrun.utils.tasks import end as end_tasks

_log = logging.getLogger(__name__)


class Progress(msgspec.Struct, frozen=True, omit_defaults=True):
    """A remark, or the end: a result or an error."""

    say: str | None = None
    result: Any = None
    error: dict[str, Any] | None = None


async def progress(act: Callable[[Callable[[str], None]], Awaitable[Any]]) -> AsyncIterator[Progress]:
    """Runs `act`; to leave the iteration cancels it."""
    said: asyncio.Queue[str | None] = asyncio.Queue()

    async def run() -> Any:
        try:
            return await act(said.put_nowait)
        finally:
            said.put_nowait(None)

    task = asyncio.create_task(run())
    try:
        while (line := await said.get()) is not None:
            yield Progress(say=line)
        try:
            yield Progress(result=await task)
        except Exception as error:
            yield Progress(error=shape(known(error)))
    finally:
        await end_tasks(task)


def known(error: Exception) -> AgentRunError:
    """Any failure as one of ours; what nobody foresaw is logged with its traceback."""
    if isinstance(error, AgentRunError):
        return error
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        return NoSpace(
            "The platform's disk is full.", hint="Make room; what runs goes on, and nothing has changed."
        )
    _log.error("An action failed", exc_info=error)
    return AgentRunError(
        f"The platform failed: {type(error).__name__}.",
        hint="Its daemon.log says where; `agentrun platform status` names the folder.",
        code="internal_error",
    )


class NoSpace(AgentRunError):
    """Nothing can be written."""

    code = "no_space"
    status = 507


def shape(error: AgentRunError) -> dict[str, Any]:
    """An error as every JSON answer carries it."""
    return {
        "code": error.code,
        "message": error.message,
        "hint": error.hint,
        "param": getattr(error, "param", None),
        "status": status_of(error),
        "run_id": None,
    }


def status_of(error: AgentRunError) -> int:
    """What a caller has to mend is theirs to mend; only what is left is ours."""
    return 400 if error.code in ("config_error", "missing_extra") else error.status
