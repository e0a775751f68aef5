"""A gateway on a real socket, before instances of a fake driver."""

from __future__ import annotations

import pytest
from data_plane import Platform


@pytest.fixture
async def platform(tmp_path):
    """`await platform.open(...)` first."""
    made = Platform(tmp_path)
    yield made
    await made.close()


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, bool]]:
    """The loop that the daemon runs on."""
    return "asyncio", {"use_uvloop": True}
