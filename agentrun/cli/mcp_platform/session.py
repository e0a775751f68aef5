"""Session: one coding agent's: the root it works in, the platform it reaches, and the programs that it has started here."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

from agentrun.cli.mcp_platform.local import Locals
from agentrun.cli.platform.reach import access_to, is_up
from agentrun.client import AsyncClient


class Session:
    """See the module. Use it in `async with`."""

    def __init__(self, root: Path, access: str | None = None) -> None:
        self.root = root.resolve()
        self._access = access
        self._folder = tempfile.TemporaryDirectory(prefix="agentrun-mcp-")
        self.locals = Locals(Path(self._folder.name))

    async def __aenter__(self) -> Session:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.locals.close()
        self._folder.cleanup()

    @asynccontextmanager
    async def platform(self) -> AsyncGenerator[AsyncClient]:
        """The platform; this machine's is started if it does not run."""
        access = await asyncio.to_thread(access_to, self._access)
        async with AsyncClient(access) as client:
            yield client

    async def is_up(self) -> bool:
        """Whether the platform answers. It is not started for this."""
        return await asyncio.to_thread(is_up, self._access)
