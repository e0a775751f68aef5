"""Tasks that are to end."""

from __future__ import annotations

import asyncio
from typing import Any

_AGAIN_S = 1.0


async def end(*tasks: asyncio.Task[Any]) -> None:
    """Cancel them and wait until they have ended. Before Python 3.12 `asyncio.wait_for` may lose a cancellation, so a
    task that goes on is cancelled again.
    """
    while going := [task for task in tasks if not task.done()]:
        for task in going:
            task.cancel()
        await asyncio.wait(going, timeout=_AGAIN_S)
    await asyncio.gather(*tasks, return_exceptions=True)  # what they raised is of no interest any more
