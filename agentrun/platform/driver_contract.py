"""What every driver has to do, as checks that the tests of a driver run: each raises AssertionError where it does not."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Protocol, TypeAlias

from msgspec import structs

from agentrun.errors import DriverError, NotFound
from agentrun.platform.drivers.driver import Driver, Ended, Handle, Launch
from agentrun.platform.instances.probe import until_ready

_WITHIN_S = 60.0
_GRACE_S = 10.0


class Subject(Protocol):
    """What the tests of a driver bring along."""

    launch: Launch  # of a program that answers HTTP at PORT, as instance c-1

    def driver(self) -> Driver:
        """A driver; the next one is for the same instances, as after a restart."""
        ...

    async def kill(self, handle: Handle) -> None:
        """End an instance, as an accident does."""
        ...


Check: TypeAlias = "Callable[[Subject], Awaitable[None]]"


class _Opened:
    """A driver in use, and what it told; all of its instances end with it."""

    def __init__(self, subject: Subject) -> None:
        self.driver = subject.driver()
        self._told: asyncio.Queue[Ended] = asyncio.Queue()

    async def __aenter__(self) -> _Opened:
        self.found = list(await self.driver.open(self._told.put_nowait))
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.driver.close(stop=True)

    async def ids(self) -> list[str]:
        return sorted(handle.id for handle in await self.driver.list())

    async def next_end(self) -> Ended:
        try:
            return await asyncio.wait_for(self._told.get(), _WITHIN_S)
        except asyncio.TimeoutError:
            raise AssertionError(f"No end was told within {_WITHIN_S:g} s.") from None

    def has_told_all(self) -> bool:
        return self._told.empty()


async def it_serves_until_it_is_stopped(subject: Subject) -> None:
    async with _Opened(subject) as opened:
        _must(not opened.found, f"it begins with none, not with {opened.found}")
        handle = await opened.driver.start(subject.launch)
        await _answers(handle, subject.launch)
        listed = [(one.id, one.version, one.port) for one in await opened.driver.list()]
        _must(listed == [("c-1", subject.launch.version, handle.port)], f"it lists {listed}")
        await opened.driver.stop("c-1", grace_s=_GRACE_S)
        _must(await opened.ids() == [], "nothing of it is left when stop returns")
        ended = await opened.next_end()
        _must((ended.id, ended.asked) == ("c-1", True), f"its end is told as one that was asked for: {ended}")


async def all_may_be_said_twice(subject: Subject) -> None:
    async with _Opened(subject) as opened:
        first = await opened.driver.start(subject.launch)
        again = await opened.driver.start(subject.launch)
        _must(first.port == again.port and await opened.ids() == ["c-1"], "the same is not started twice")
        for instance in ("c-1", "c-1", "c-none"):
            await opened.driver.stop(instance, grace_s=_GRACE_S)
        await opened.next_end()
        _must(opened.has_told_all(), "its end is told once")


async def each_has_an_address_of_its_own(subject: Subject) -> None:
    async with _Opened(subject) as opened:
        launches = [structs.replace(subject.launch, instance=f"c-{number}") for number in range(3)]
        handles = [await opened.driver.start(launch) for launch in launches]
        _must(len({(one.host, one.port) for one in handles}) == 3, "three have three addresses")
        for handle in handles:
            await _answers(handle, subject.launch)
        used = set(await opened.driver.stats())
        _must(used == {"c-0", "c-1", "c-2"}, f"it says what each of them uses, and has {used}")


async def what_cannot_run_is_an_error_and_leaves_nothing(subject: Subject) -> None:
    async with _Opened(subject) as opened:
        try:
            await opened.driver.start(structs.replace(subject.launch, command=("/no/such",)))
        except DriverError as error:
            _must("/no/such" in str(error), f"the error names the command: {error}")
        else:
            raise AssertionError("A command that is not there is a DriverError.")
        _must(await opened.ids() == [], "nothing is left of it")
        await _answers(await opened.driver.start(subject.launch), subject.launch)


async def one_that_is_killed_is_told_of_once(subject: Subject) -> None:
    async with _Opened(subject) as opened:
        victim = await opened.driver.start(subject.launch)
        other = await opened.driver.start(structs.replace(subject.launch, instance="c-2"))
        await subject.kill(victim)
        ended = await opened.next_end()
        _must((ended.id, ended.asked) == ("c-1", False), f"an accident is told as one: {ended}")
        _must(bool(ended.reason), "it has a reason")
        _must(opened.has_told_all() and await opened.ids() == ["c-2"], "the other is as it was")
        await _answers(other, subject.launch)


async def what_runs_goes_on_without_its_driver(subject: Subject) -> None:
    before = subject.driver()
    await before.open(_ignore)
    handle = await before.start(subject.launch)
    await before.close(stop=False)
    async with _Opened(subject) as opened:
        _must([one.id for one in opened.found] == ["c-1"], f"the next driver finds {opened.found}")
        _must(opened.found[0].port == handle.port, "where it was")
        await _answers(opened.found[0], subject.launch)
        await subject.kill(opened.found[0])
        _must((await opened.next_end()).id == "c-1", "the next driver hears of its end")


async def none_is_left_of_a_driver_that_stops_all(subject: Subject) -> None:
    before = subject.driver()
    await before.open(_ignore)
    await before.start(subject.launch)
    await before.close(stop=True)
    async with _Opened(subject) as opened:
        _must(not opened.found, f"the next driver finds none, and not {opened.found}")


async def a_command_runs_beside_it(subject: Subject) -> None:
    async with _Opened(subject) as opened:
        if "exec" not in opened.driver.capabilities:
            return
        await opened.driver.start(subject.launch)
        running = await opened.driver.exec("c-1", ["echo", "hello"])
        said = b""
        while data := await running.read():
            said += data
        _must(b"hello" in said and await running.wait() == 0, f"it said {said!r}")
        try:
            await opened.driver.exec("c-none", ["echo"])
        except NotFound:
            return
        raise AssertionError("An instance that is not there is NotFound.")


CHECKS: tuple[Check, ...] = (
    it_serves_until_it_is_stopped,
    all_may_be_said_twice,
    each_has_an_address_of_its_own,
    what_cannot_run_is_an_error_and_leaves_nothing,
    one_that_is_killed_is_told_of_once,
    what_runs_goes_on_without_its_driver,
    none_is_left_of_a_driver_that_stops_all,
    a_command_runs_beside_it,
)


async def _answers(handle: Handle, launch: Launch) -> None:
    problem = await until_ready(handle.host, handle.port, launch.health, lambda: True)
    _must(not problem, f"{handle.id} answers at {handle.host}:{handle.port}: {problem}")


def _must(holds: bool, what: str) -> None:
    if not holds:
        raise AssertionError(f"It has to be that {what}.")


def _ignore(_: Ended) -> None:
    pass
