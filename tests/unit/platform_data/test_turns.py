"""Starts that nobody waits for come a few at a time; one that somebody waits for comes at once."""

from __future__ import annotations

import asyncio
import os

from data_plane import Platform, until, wanted
from fake_driver import FakeDriver

from agentrun.platform.instances.turns import Turns
from agentrun.platform.traffic import Route, Share, Table

AT_A_TIME = max(2, os.cpu_count() or 0)
VERSIONS = range(1, AT_A_TIME + 4)


class Noting(FakeDriver):
    """It says what it was asked to start."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[str] = []

    async def start(self, launch):
        self.asked.append(launch.version)
        return await super().start(launch)


def addresses() -> Table:
    """Each version has its own."""
    return Table(
        versions={
            ("a", one): Route("a", "", (Share(one, 1.0),), versions=frozenset([one])) for one in VERSIONS
        }
    )


async def test_when_all_have_to_start_again_the_one_that_is_asked_for_does_not_wait(tmp_path):
    platform = Platform(tmp_path, driver=Noting())
    platform.driver.may_start.clear()
    await platform.open(*(wanted(one, min=1) for one in VERSIONS))
    platform.routes.replace(addresses())
    await until(lambda: len(platform.driver.asked) == AT_A_TIME)
    last = VERSIONS[-1]
    asked = asyncio.create_task(platform.client.get(f"/versions/{last}/invocations/echo"))
    await until(lambda: f"a@{last}" in platform.driver.asked)
    assert len(platform.driver.asked) == AT_A_TIME + 1
    platform.driver.may_start.set()
    assert (await asked).status_code == 200
    await until(
        lambda: len([one for one in platform.instances.list() if one.state == "ready"]) == len(VERSIONS)
    )
    assert sorted(platform.driver.asked) == sorted(f"a@{one}" for one in VERSIONS)
    await platform.close()


async def test_one_that_is_wanted_no_more_before_its_turn_never_starts(tmp_path):
    platform = Platform(tmp_path, driver=Noting())
    platform.driver.may_start.clear()
    await platform.open(*(wanted(one, min=1) for one in VERSIONS))
    await until(lambda: len(platform.driver.asked) == AT_A_TIME)
    begun = list(platform.driver.asked)
    await platform.instances.want([])
    platform.driver.may_start.set()
    await until(lambda: not platform.instances.list())
    assert platform.driver.asked == begun
    assert not platform.driver.running
    await platform.close()


async def test_a_turn_is_given_back_once_however_it_ends():
    turns = Turns()
    all_of_them = [turns.ask() for _ in range(AT_A_TIME + 3)]
    assert sum(turn.begun.is_set() for turn in all_of_them) == AT_A_TIME
    *_, left, hurried, waiting = all_of_them
    hurried.hurry()
    hurried.end()
    assert not waiting.begun.is_set(), "who hurried was not counted"
    left.end()
    all_of_them[0].end()
    all_of_them[0].end()
    assert waiting.begun.is_set()
    assert not left.begun.is_set()
