"""Instances: from zero to as many as are needed and back, and what happens when they fail."""

from __future__ import annotations

import asyncio

import pytest
from data_plane import Platform, until, wanted

from agentrun.errors import NotFound, NotReady
from agentrun.platform.drivers.driver import Stats
from agentrun.resources import Sessions


def states(platform):
    return [one.state for one in platform.instances.list()]


async def test_nothing_runs_until_it_is_asked_for(platform):
    await platform.open()
    assert platform.driver.started == 0
    assert platform.instances.conditions("a@1")[0].reason == "AtZero"


async def test_as_many_instances_as_the_requests_need_and_no_more_than_are_allowed(platform):
    await platform.open(wanted(concurrency=2, max=3))
    asked = [asyncio.create_task(platform.get("/hold")) for _ in range(9)]
    await until(lambda: sum(len(one.heads) for one in platform.all) == 6)
    assert [one.in_flight for one in platform.instances.list()] == [2, 2, 2]
    for one in platform.all:
        one.more.set()
    assert {answer.status_code for answer in await asyncio.gather(*asked)} == {200}
    assert platform.driver.started == 3


async def test_back_to_zero_when_idle(platform):
    await platform.open(wanted(concurrency=1, max=3, idle_s=0.0))
    await asyncio.gather(*(platform.get() for _ in range(3)))
    await until(lambda: not platform.all)
    assert (await platform.get()).status_code == 200


async def test_the_smallest_number_stays(platform):
    await platform.open(wanted(min=2, concurrency=1, idle_s=0.0))
    await until(lambda: states(platform) == ["ready", "ready"])
    await asyncio.gather(*(platform.get() for _ in range(4)))
    await until(lambda: states(platform) == ["ready", "ready"])


async def test_more_instances_when_memory_is_short(platform):
    await platform.open(wanted(concurrency=100, memory_target=0.6))
    platform.driver.usage = Stats(0.0, 1900.0)
    asked = asyncio.create_task(platform.get("/hold"))
    await until(lambda: len(platform.all) >= 2)
    for one in platform.all:
        one.more.set()
    assert (await asked).status_code == 200


async def test_past_its_bound_the_queue_takes_no_more(platform):
    await platform.open(wanted(queue=2))
    platform.driver.may_start.clear()
    waiting = [asyncio.create_task(platform.get()) for _ in range(2)]
    await until(lambda: len(platform.pool._queue) == 2)
    refused = await platform.get()
    assert refused.status_code == 429
    assert refused.headers["retry-after"] == "1"
    platform.driver.may_start.set()
    assert [answer.status_code for answer in await asyncio.gather(*waiting)] == [200, 200]


async def test_who_waits_too_long_is_told(platform):
    await platform.open(wanted(queue_s=0.1))
    platform.driver.may_start.clear()
    answer = await platform.get()
    assert (answer.status_code, answer.json()["error"]["code"]) == (503, "queue_timeout")
    platform.driver.may_start.set()


async def test_who_goes_while_waiting_is_forgotten(platform):
    await platform.open()
    platform.driver.may_start.clear()
    asked = asyncio.create_task(platform.get())
    await until(lambda: platform.pool._queue)
    asked.cancel()
    await until(lambda: not platform.pool._queue)
    platform.driver.may_start.set()
    await until(lambda: states(platform) == ["ready"])
    assert platform.instances.list()[0].in_flight == 0


async def test_a_killed_instance_is_replaced_for_the_next_request(platform):
    await platform.open()
    await platform.get()
    platform.driver.kill(platform.instances.list()[0].id)
    assert (await platform.get()).status_code == 200
    assert platform.driver.started == 2


async def test_one_that_has_answered_may_be_killed_as_often_as_it_likes(platform):
    await platform.open()
    for times in range(1, 6):
        assert (await platform.get()).status_code == 200
        assert platform.driver.started == times
        platform.driver.kill(platform.all[-1].launch.instance)
        assert platform.instances.conditions("a@1")[0].reason == "AtZero"


async def test_one_that_ends_before_it_has_answered_anybody_is_not_tried_for_ever(platform):
    await platform.open(wanted(min=1))
    for _ in range(3):
        await until(lambda: states(platform) == ["ready"])
        platform.driver.kill(platform.all[-1].launch.instance)
    platform.pool._not_before += 3600  # however long the test takes
    assert platform.instances.conditions("a@1")[0].reason == "CrashLoop"
    assert (await platform.get()).status_code == 503


async def test_an_instance_that_takes_no_connections_is_replaced_before_anyone_notices(platform):
    await platform.open()
    await platform.get()
    platform.all[0].die()
    assert (await platform.get()).status_code == 200
    assert platform.driver.started == 2


async def test_a_version_that_does_not_start_says_why_and_is_not_tried_for_ever(platform):
    await platform.open()
    platform.driver.failures = ["exited with 1"] * 3
    answer = await platform.get()
    assert answer.status_code == 503
    assert "Readiness probe failed: exited with 1" in answer.json()["error"]["message"]
    assert platform.driver.started == 3
    platform.pool._not_before += 3600  # however long the test takes
    assert (await platform.get()).status_code == 503
    assert platform.driver.started == 3
    condition = platform.instances.conditions("a@1")[0]
    assert (condition.ok, condition.reason) == (False, "CrashLoop")
    platform.pool._not_before = 0.0
    assert (await platform.get()).status_code == 200, "after the pause it is tried again"


async def test_one_failure_is_made_good_at_once(platform):
    await platform.open()
    platform.driver.failures = ["killed by SIGKILL"]
    assert (await platform.get()).status_code == 200
    assert platform.driver.started == 2


async def test_what_kept_it_may_end_as_often_as_it_likes_and_is_no_fault_of_the_version(platform):
    await platform.open()
    for times in range(1, 6):
        assert (await platform.get()).status_code == 200
        assert platform.driver.started == times
        platform.driver.kill(platform.all[-1].launch.instance, lost=True)
        assert platform.instances.conditions("a@1")[0].reason == "AtZero"


async def test_waiting_until_ready_starts_one_and_says_what_is_wrong(platform):
    await platform.open()
    await platform.instances.wait_ready("a@1")
    assert states(platform) == ["ready"]
    platform.driver.kill(platform.all[0].launch.instance)
    platform.driver.failures = ["exited with 3"] * 9
    with pytest.raises(NotReady, match="Readiness probe failed: exited with 3"):
        await platform.instances.wait_ready("a@1")
    with pytest.raises(NotFound):
        await platform.instances.wait_ready("a@9")


async def test_an_instance_that_no_longer_answers_is_replaced(platform):
    await platform.open(wanted(min=1))
    await until(lambda: states(platform) == ["ready"])
    first = platform.instances.list()[0].id
    platform.all[0].health = 500
    await until(lambda: states(platform) == ["ready"] and platform.instances.list()[0].id != first)


async def test_a_session_stays_at_its_instance(platform):
    await platform.open(wanted(min=3))
    await until(lambda: states(platform) == ["ready"] * 3)
    for _ in range(5):
        await platform.get(headers={"x-session-id": "mine"})
    assert sorted(len(one.heads) for one in platform.all) == [0, 0, 5]


async def test_isolated_sessions_share_no_instance(platform):
    await platform.open(wanted(sessions=Sessions(isolation=True)))
    for session in ("one", "two", "one"):
        await platform.get(headers={"x-session-id": session})
    assert sorted(len(one.heads) for one in platform.all) == [1, 2]
    await platform.get()
    await until(lambda: len(platform.all) == 2, "one without a session is nobody's afterwards")


async def test_a_version_that_is_wanted_no_more_finishes_its_requests_first(platform):
    await platform.open()
    async with platform.stream() as answer:
        pieces = answer.aiter_raw()
        await anext(pieces)
        await platform.instances.want([])
        assert states(platform) == ["ready"]
        platform.all[0].more.set()
        assert b"data: 2" in b"".join([piece async for piece in pieces])
    await until(lambda: not platform.all)
    await until(lambda: platform.pool is None)


async def test_a_version_that_is_wanted_again_goes_on(platform):
    await platform.open()
    async with platform.stream() as answer:
        pieces = answer.aiter_raw()
        await anext(pieces)
        await platform.instances.want([])
        await platform.instances.want([wanted()])
        assert (await platform.get()).status_code == 200
        platform.all[0].more.set()
        await anext(pieces)
    assert platform.driver.started == 1


async def test_what_runs_is_taken_over_after_a_restart_and_strangers_end(platform, tmp_path):
    await platform.open(wanted(1, min=1), wanted(2, min=1))
    await until(lambda: states(platform) == ["ready", "ready"])
    kept = next(one.id for one in platform.instances.list() if one.version == 1)
    await platform.instances.close()
    again = Platform(tmp_path)
    again.driver.running = platform.driver.running
    await again.open(wanted(1, min=1))
    await until(lambda: [one.id for one in again.instances.list() if one.state == "ready"] == [kept])
    assert list(again.driver.running) == [kept]
    assert (await again.get()).status_code == 200
    assert again.driver.started == 0
    await again.close()


async def test_a_request_while_it_restarts_waits_for_what_is_taken_over(platform, tmp_path):
    await platform.open(wanted(1, min=1))
    await until(lambda: states(platform) == ["ready"])
    await platform.instances.close()
    again = Platform(tmp_path)
    again.driver.running = platform.driver.running
    await again.open(wanted(1, min=1))
    answers = await asyncio.gather(*(again.get() for _ in range(5)))
    assert {answer.status_code for answer in answers} == {200}
    assert again.driver.started == 0
    await again.close()


async def test_figures_tell_how_a_version_answers(platform):
    await platform.open()
    for path in ("/200", "/200", "/404", "/500"):
        await platform.get(path)
    figures = platform.instances.figures("a@1")
    assert (figures.requests, figures.errors, figures.error_rate) == (4, 1, 0.25)
    assert 0 < figures.p50_ms <= figures.p95_ms


async def test_a_command_runs_beside_an_instance(platform):
    await platform.open(wanted(min=1))
    await until(lambda: states(platform) == ["ready"])
    running = await platform.instances.exec(platform.instances.list()[0].id, ["echo", "hello"])
    assert await running.read() == b"echo hello\n"
    assert await running.wait() == 0
    with pytest.raises(NotFound):
        await platform.instances.exec("c-none", ["echo"])


async def test_one_instance_can_be_replaced(platform):
    await platform.open(wanted(min=1))
    await until(lambda: states(platform) == ["ready"])
    first = platform.instances.list()[0].id
    platform.instances.restart(first)
    await until(lambda: states(platform) == ["ready"] and platform.instances.list()[0].id != first)
