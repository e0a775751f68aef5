"""Whichever call to a driver fails: requests are answered afterwards, by the right version, and nothing is left over."""

from __future__ import annotations

import functools

import pytest
from data_plane import Platform, table, until, wanted
from fake_driver import FakeDriver

from agentrun.errors import DriverError


class Failing(FakeDriver):
    """Its n-th call fails, and does nothing."""

    def __init__(self) -> None:
        super().__init__()
        self.left = 10**9
        for name in ("start", "stop", "list", "stats"):
            setattr(self, name, functools.partial(self._count, getattr(self, name)))

    async def _count(self, act, *arguments, **options):
        self.left -= 1
        if self.left == 0:
            raise DriverError("The engine is away.")
        return await act(*arguments, **options)


async def life(platform: Platform) -> None:
    """From zero, through an update, to zero; a request that fails is asked again, as a client does."""
    await platform.instances.want([wanted(1, idle_s=0.0)])
    await answered_by(platform, "a@1")
    await platform.instances.want([wanted(1, idle_s=0.0), wanted(2, min=1, idle_s=0.0)])
    platform.routes.replace(table(v1=0.0, v2=1.0))
    await answered_by(platform, "a@2")
    await platform.instances.want([wanted(2, idle_s=0.0)])
    await until(lambda: not platform.driver.running)


async def answered_by(platform: Platform, version: str) -> None:
    while True:
        answer = await platform.get()
        if answer.status_code == 200:
            assert answer.json()["version"] == version
            return
        assert answer.status_code == 503


async def calls_of_a_life(tmp_path) -> int:
    """How many there are when all goes well."""
    platform = Platform(tmp_path / "well", driver=Failing())
    await platform.open(wanted(1, idle_s=0.0))
    before = platform.driver.left
    await life(platform)
    await platform.close()
    return before - platform.driver.left


async def test_whichever_call_fails_all_goes_on(tmp_path):
    for number in range(1, await calls_of_a_life(tmp_path) + 1):
        platform = Platform(tmp_path / str(number), driver=Failing())
        await platform.open(wanted(1, idle_s=0.0))
        platform.driver.left = number
        await life(platform)
        await until(lambda: not platform.instances.list(), "none is listed that is gone")  # noqa: B023
        assert platform.instances.conditions("a@2")[0].reason in ("AtZero", "Failed")
        await platform.close()


async def test_one_that_could_not_be_stopped_is_stopped_later(tmp_path):
    platform = Platform(tmp_path, driver=Failing())
    await platform.open(wanted(1, min=1))
    await until(lambda: platform.driver.running)
    await platform.get()
    stop, refusals = platform.driver.stop, 3

    async def refuse(instance, *, grace_s):
        nonlocal refusals
        refusals -= 1
        if refusals >= 0:
            raise DriverError("The engine is away.")
        await stop(instance, grace_s=grace_s)

    platform.driver.stop = refuse
    await platform.instances.want([])
    await until(lambda: not platform.driver.running)
    await until(lambda: platform.pool is None)
    await platform.close()


async def test_a_stranger_that_could_not_be_stopped_is_stopped_when_it_is_said_again(tmp_path):
    before = Platform(tmp_path, driver=Failing())
    await before.open(wanted(1, min=1), wanted(2, min=1))
    await until(lambda: len(before.driver.running) == 2)
    await before.instances.close()
    again = Platform(tmp_path, driver=Failing())
    again.driver.running = before.driver.running
    await again.instances.start()
    again.driver.left = 1
    with pytest.raises(DriverError):
        await again.instances.want([])
    await again.instances.want([])
    assert not again.driver.running
    await again.instances.close()
    await before.close()
