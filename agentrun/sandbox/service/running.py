"""Code while it runs: each thing it says as soon as it is said, and at the end the whole."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Mapping

from agentrun.sandbox.contexts import Context
from agentrun.sandbox.values import Execution, Output
from agentrun.utils import tasks


async def told(
    context: Context, code: str, *, timeout_s: float | None, env: Mapping[str, str] | None
) -> AsyncGenerator[Output | Execution]:
    """Who stops reading stops the code. No more is waiting to be read than the output that a run may have."""
    said: asyncio.Queue[Output | None] = asyncio.Queue()
    running = asyncio.create_task(context.run(code, timeout_s=timeout_s, env=env, on_output=said.put_nowait))
    running.add_done_callback(lambda _: said.put_nowait(None))
    try:
        while (one := await said.get()) is not None:
            yield one
        yield await running
    finally:
        await tasks.end(running)
