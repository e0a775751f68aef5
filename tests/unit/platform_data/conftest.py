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
async def another(tmp_path):
    """another(limits=...) -> one more. It is closed whatever comes of the test: with an open one its loop does not end."""
    made: list[Platform] = []

    def make(**options) -> Platform:
        made.append(Platform(tmp_path, **options))
        return made[-1]

    yield make
    for one in made:
        await one.close()


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, bool]]:
    """The loop that the daemon runs on."""
    return "asyncio", {"use_uvloop": True}
