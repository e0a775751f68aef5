"""Runs: limits, places, cancelling, and agents that misbehave."""

from __future__ import annotations

import asyncio
import builtins
import contextvars
import functools
import sys
import threading
import time
from collections.abc import AsyncIterator, Callable
from types import SimpleNamespace

import pytest
from patience import PATIENCE_S
from unit.run import grammar

from agentrun import events
from agentrun.agent import Agent
from agentrun.errors import CallbackError, NotFound, RateLimited, Unavailable
from agentrun.events import AnyEvent, PartDelta, RunFailed, RunFinished, RunStarted, Usage
from agentrun.messages import AgentRequest, Message, Role, Tool
from agentrun.run import Run, Runs
from agentrun.run import execution as execution_module
from agentrun.run import run as run_module
from agentrun.run import runs as runs_module
from agentrun.run.execution import current_execution
from agentrun.run.runs import Limits


@pytest.fixture
async def new_runs() -> AsyncIterator[Callable[..., Runs]]:
    """new_runs(**limits) -> Runs that are closed after the test."""
    made: list[Runs] = []

    def new(*, debug: bool = False, on_end: Callable[[Run], None] = lambda _: None, **limits: float) -> Runs:
        made.append(Runs(Limits(**limits), debug=debug, on_end=on_end))
        return made[-1]

    yield new
    for runs in made:
        await runs.close()


@pytest.fixture
def later(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """later(seconds): the clock says so much more from now on."""
    now, ahead = time.time, [0.0]
    monkeypatch.setattr(time, "time", lambda: now() + sum(ahead))
    return ahead.append


def ask(text: str = "hi", **fields: object) -> AgentRequest:
    return AgentRequest(messages=[Message(Role.USER, text)], **fields)


async def start(runs: Runs, callback: Callable[..., object], **more: object) -> Run:
    return await runs.start(Agent(callback), ask(), **more)


async def batches(run: Run, index: int = 0) -> AsyncIterator[list[AnyEvent]]:
    """What came since the last batch, as it comes; an empty one is a sign of life."""
    while True:
        batch = run.log.since(index)
        if batch:
            index = run.read_to()
            yield batch
        elif run.ended:
            return
        elif run.silent():
            yield []
        else:
            await run.changed()


async def read(run: Run, index: int = 0) -> list[AnyEvent]:
    """All events, as one reader of a stream gets them."""

    async def follow() -> list[AnyEvent]:
        return [event async for batch in batches(run, index) for event in batch]

    run.readers += 1
    try:
        return await asyncio.wait_for(follow(), PATIENCE_S)
    finally:
        run.leave()


async def answer(runs: Runs, callback: Callable[..., object], **more: object) -> list[AnyEvent]:
    got = await read(await start(runs, callback, **more))
    grammar.check(got)
    return got


async def speaks(run: Run) -> None:
    """Wait until the agent has given something."""

    async def listen() -> None:
        while not any(isinstance(event, PartDelta) for event in run.log.since(0)):
            await run.changed()

    await asyncio.wait_for(listen(), PATIENCE_S)


async def happens(flag: threading.Event) -> bool:
    return await asyncio.to_thread(flag.wait, PATIENCE_S)


def text_of(got: list[AnyEvent]) -> str:
    return "".join(event.text for event in got if isinstance(event, PartDelta) and event.kind == "text")


async def fine(request: AgentRequest):
    yield "fine"


class Halt(BaseException):
    """An exception that is no Exception."""


async def endless(request: AgentRequest):
    while True:
        yield "x"
        await asyncio.sleep(0.005)


# --- agents that raise


def group() -> BaseException:
    kind = getattr(builtins, "ExceptionGroup", None)
    if kind is None:
        pytest.skip("There are no exception groups in Python 3.10.")
    return kind("two", [ValueError("a"), KeyError("b")])


ERRORS = {
    "ValueError": lambda: ValueError("secret"),
    "SystemExit": lambda: SystemExit(3),
    "KeyboardInterrupt": KeyboardInterrupt,
    "Halt": Halt,
    "CancelledError": asyncio.CancelledError,
    "TimeoutError": TimeoutError,
    "ExceptionGroup (ValueError, KeyError)": group,
}


def raising(kind: str, error: Callable[[], BaseException]) -> Callable[..., object]:
    async def function(request: AgentRequest):
        raise error()

    async def generator(request: AgentRequest):
        yield "half"
        raise error()

    def plain(request: AgentRequest):
        raise error()

    def plain_generator(request: AgentRequest):
        yield "half"
        raise error()

    return {f.__name__: f for f in (function, generator, plain, plain_generator)}[kind]


@pytest.mark.parametrize("kind", ["function", "generator", "plain", "plain_generator"])
@pytest.mark.parametrize("name", ERRORS)
async def test_an_agent_that_raises_fails_its_run_and_no_other(new_runs, kind, name):
    runs = new_runs()
    error = ERRORS[name]()
    other = await start(runs, endless)
    got = await answer(runs, raising(kind, lambda: error))
    assert isinstance(got[-1], RunFailed)
    assert got[-1].code == "agent_error"
    assert f"The agent raised {name}." in got[-1].message
    assert "secret" not in got[-1].message
    assert text_of(got) == ("half" if "generator" in kind else "")
    assert text_of(await answer(runs, fine)) == "fine"
    assert not other.ended


async def test_system_exit_in_a_task_of_an_agents_own_ends_nobody_else(new_runs):
    runs = new_runs()
    other = await start(runs, endless)

    async def agent(request: AgentRequest):
        async def leave() -> None:
            sys.exit(3)

        with pytest.raises(SystemExit):
            await asyncio.create_task(leave())
        return "still here"

    assert text_of(await answer(runs, agent)) == "still here"
    assert text_of(await answer(runs, fine)) == "fine"
    assert not other.ended


async def test_debug_shows_the_text_of_an_exception(new_runs):
    got = await answer(new_runs(debug=True), raising("function", lambda: ValueError("why \ud800")))
    assert got[-1] == RunFailed("agent_error", "The agent raised ValueError: why \ufffd")


async def test_an_exception_that_cannot_be_shown_is_one_all_the_same(new_runs):
    class Unspeakable(Exception):
        def __str__(self) -> str:
            raise RuntimeError("no")

    got = await answer(new_runs(debug=True), raising("function", Unspeakable))
    assert isinstance(got[-1], RunFailed)


async def test_errors_of_ours_are_told_to_the_caller(new_runs):
    run = await start(new_runs(), raising("function", lambda: NotFound("No such city.", hint="Try Bern.")))
    assert (await read(run))[-1] == RunFailed("not_found", "No such city. Try Bern.")
    assert isinstance(run.error, NotFound)
    assert run.status == "failed"


async def test_a_value_that_is_no_answer_fails_the_run(new_runs):
    async def agent(request: AgentRequest):
        yield "half"
        yield 42

    run = await start(new_runs(), agent)
    got = await read(run)
    assert text_of(got) == "half"
    assert got[-1].code == "invalid_agent_output"
    assert "int" in got[-1].message
    assert isinstance(run.error, CallbackError)


@pytest.mark.parametrize("kind", ["async", "sync"])
async def test_an_exception_on_being_closed_hides_no_other(new_runs, kind):
    async def agent(request: AgentRequest):
        try:
            yield 42
        finally:
            raise ValueError("from finally")

    def plain(request: AgentRequest):
        try:
            yield 42
        finally:
            raise ValueError("from finally")

    got = await answer(new_runs(), agent if kind == "async" else plain)
    assert got[-1].code == "invalid_agent_output"


async def test_an_exception_in_aclose_fails_the_run(new_runs):
    class Stream:
        def __init__(self) -> None:
            self.values = iter(["a", "b"])

        def __aiter__(self):
            return self

        async def __anext__(self) -> str:
            try:
                return next(self.values)
            except StopIteration:
                raise StopAsyncIteration from None

        async def aclose(self) -> None:
            raise ValueError("from aclose")

    got = await answer(new_runs(), lambda request: Stream())
    assert text_of(got) == "ab"
    assert "ValueError" in got[-1].message


async def test_a_failure_that_an_agent_reports_itself_stops_it(new_runs):
    closed = threading.Event()

    async def agent(request: AgentRequest):
        try:
            yield "half"
            yield RunFailed("mine", "I cannot.")
            while True:
                yield "more"
                await asyncio.sleep(0)
        finally:
            closed.set()

    got = await answer(new_runs(), agent)
    assert got[-1] == RunFailed("mine", "I cannot.")
    assert text_of(got) == "half"
    assert await happens(closed)


# --- cancelling


@pytest.mark.parametrize(
    "kind", ["suspends", "never suspends", "blocks", "sync", "gives a stream", "gives a generator"]
)
async def test_the_last_reader_takes_the_run_with_it(new_runs, kind):
    closed = threading.Event()

    async def suspends(request: AgentRequest):
        try:
            yield "x"
            await asyncio.Event().wait()
        finally:
            closed.set()

    async def never(request: AgentRequest):
        try:
            while True:
                yield "x"
        finally:
            closed.set()

    async def blocks(request: AgentRequest):
        time.sleep(0.001)  # noqa: ASYNC251 - which is what it is about
        try:
            yield "x"
            await asyncio.Event().wait()
        finally:
            closed.set()

    def sync(request: AgentRequest):
        try:
            while True:
                yield "x"
                time.sleep(0.001)
        finally:
            closed.set()

    async def gives_a_generator(request: AgentRequest):
        return sync(request)

    agents = {
        "suspends": suspends,
        "never suspends": never,
        "blocks": blocks,
        "sync": sync,
        "gives a stream": lambda request: suspends(request),
        "gives a generator": gives_a_generator,
    }
    run = await start(new_runs(), agents[kind])
    assert (Agent(agents[kind]).blocks is not None) == (kind == "blocks")
    run.readers += 1
    await speaks(run)
    run.leave()
    assert await happens(closed)
    got = await read(run)
    grammar.check(got)
    assert got[-1] == RunFinished("cancelled")
    assert run.status == "cancelled"


async def test_a_run_that_is_to_continue_does(new_runs):
    go = threading.Event()

    def agent(request: AgentRequest):
        yield "a"
        go.wait(PATIENCE_S)
        yield "b"

    run = await start(new_runs(), agent, on_disconnect="continue")
    run.readers += 1
    await anext(batches(run))
    run.leave()
    go.set()
    assert text_of(await read(run)) == "ab"
    assert run.status == "completed"


@pytest.mark.parametrize("kind", ["async", "sync", "blocks"])
async def test_an_agent_that_ignores_its_cancel_keeps_no_reader_waiting(new_runs, monkeypatch, kind):
    monkeypatch.setattr(run_module, "_CANCEL_GRACE_S", 0.05)
    begun, go, ended = threading.Event(), threading.Event(), threading.Event()

    async def stubborn(request: AgentRequest):
        yield "x"
        begun.set()
        while not go.is_set():
            try:
                await asyncio.sleep(0.01)
            except asyncio.CancelledError:
                pass
        ended.set()
        yield "late"

    async def blocks(request: AgentRequest):
        time.sleep(0.001)  # noqa: ASYNC251 - which is what it is about
        async for value in stubborn(request):
            yield value

    def sync(request: AgentRequest):
        yield "x"
        begun.set()
        go.wait(PATIENCE_S)
        ended.set()
        yield "late"

    runs = new_runs()
    run = await start(runs, {"async": stubborn, "sync": sync, "blocks": blocks}[kind])
    assert await happens(begun)
    run.cancel()
    run.cancel()
    got = await read(run)
    assert got[-1] == RunFinished("cancelled")
    assert "late" not in text_of(got)
    go.set()
    assert await happens(ended)
    assert await read(run) == got
    assert text_of(await answer(runs, fine)) == "fine"


async def test_a_cancel_breaks_off_no_cleaning_up(new_runs):
    cleaned = threading.Event()

    async def agent(request: AgentRequest):
        try:
            yield "x"
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0.05)
            cleaned.set()

    run = await start(new_runs(), agent)
    await speaks(run)
    run.cancel()
    run.cancel()
    run.cancel(RunFailed("late", "too late"))
    assert await happens(cleaned)
    assert (await read(run))[-1] == RunFailed("late", "too late")


async def test_an_agent_that_raises_on_being_cancelled_is_cancelled(new_runs):
    async def agent(request: AgentRequest):
        yield "x"
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            raise RuntimeError("connection lost") from None

    run = await start(new_runs(), agent)
    await speaks(run)
    run.cancel()
    assert (await read(run))[-1] == RunFinished("cancelled")


async def test_a_run_cancelled_before_it_began_never_begins(new_runs):
    began, go = [], threading.Event()

    def first(request: AgentRequest):
        go.wait(PATIENCE_S)

    def second(request: AgentRequest):
        began.append(1)

    runs = new_runs(max_threads=1)
    waiting_for, run = await start(runs, first), await start(runs, second)
    run.cancel()
    go.set()
    await read(waiting_for)
    assert (await read(run))[-1] == RunFinished("cancelled")
    assert began == []
    run.cancel()
    assert run.status == "cancelled"


# --- limits of time


@pytest.mark.parametrize(
    ("limit", "said"),
    [
        ({"run_timeout_s": 60}, "longer than 60 s"),
        ({"idle_timeout_s": 60}, "fell silent for 60 s"),
    ],
)
async def test_a_run_that_takes_too_long_is_ended_and_its_agent_stopped(new_runs, later, limit, said):
    closed = threading.Event()

    async def agent(request: AgentRequest):
        try:
            yield "half"
            await asyncio.Event().wait()
        finally:
            closed.set()

    run = await start(new_runs(**limit), agent)
    await speaks(run)
    later(61)
    got = await read(run)
    assert text_of(got) == "half"
    assert got[-1].code == "timeout" and said in got[-1].message
    assert await happens(closed)


@pytest.mark.parametrize("kind", ["async", "sync"])
async def test_an_agent_that_says_nothing_in_time_is_ended(new_runs, later, kind):
    go = threading.Event()

    async def agent(request: AgentRequest):
        await asyncio.Event().wait()

    def plain(request: AgentRequest):
        go.wait(PATIENCE_S)

    run = await start(new_runs(first_event_timeout_s=60), agent if kind == "async" else plain)
    later(61)
    got = await read(run)
    go.set()
    assert got[-1].code == "timeout" and "said nothing within 60 s" in got[-1].message


async def test_time_limits_leave_those_alone_who_keep_them(new_runs, later):
    more = threading.Semaphore()

    def agent(request: AgentRequest):
        for _ in range(3):
            more.acquire()
            yield "x"

    run = await start(new_runs(first_event_timeout_s=60, idle_timeout_s=60), agent)
    for number in range(3):
        while len(run.log) < number + 3:  # behind the starts of the run and of its part
            await run.changed()
        later(50)
        await asyncio.sleep(0.3)  # time to find fault with it
        more.release()
    assert (await read(run))[-1] == RunFinished()


async def test_silence_is_filled_with_signs_of_life(new_runs):
    go = threading.Event()

    def agent(request: AgentRequest):
        go.wait(PATIENCE_S)
        yield "x"

    run = await start(new_runs(heartbeat_s=0.05), agent)
    run.readers += 1
    empty = 0
    async for batch in batches(run):
        empty += not batch
        if empty == 2:
            go.set()
    assert empty >= 2


# --- slow readers


@pytest.mark.parametrize("kind", ["async", "sync"])
async def test_a_slow_reader_slows_its_agent_and_no_more_is_kept(new_runs, monkeypatch, later, kind):
    monkeypatch.setattr(execution_module, "_MAX_BEHIND", 256)
    given = 0

    async def agent(request: AgentRequest):
        nonlocal given
        while given < 3000:
            given += 1
            yield "x"

    def plain(request: AgentRequest):
        nonlocal given
        while given < 3000:
            given += 1
            yield "x"

    runs = new_runs(idle_timeout_s=60)
    run = await start(runs, agent if kind == "async" else plain)
    run.readers += 1
    stream = batches(run)
    await anext(stream)
    while not run.full:  # noqa: ASYNC110 - nothing tells
        await asyncio.sleep(0.01)
    later(61)  # longer than the agent may be silent
    await asyncio.sleep(0.5)  # time to give more, and to find fault with it
    assert given <= 256 + 64 + 64
    assert not run.ended
    got = [event async for batch in stream for event in batch]
    assert given == 3000
    assert got[-1] == RunFinished()


async def test_a_whole_answer_may_be_longer_than_a_reader_may_lag(new_runs, monkeypatch):
    monkeypatch.setattr(execution_module, "_MAX_BEHIND", 256)

    async def agent(request: AgentRequest):
        for _ in range(3000):
            yield "x"

    run = await start(new_runs(), agent)
    run.readers += 1

    async def wait() -> None:
        while not run.ended:
            await run.changed()

    await asyncio.wait_for(wait(), PATIENCE_S)
    assert len(text_of(run.log.since(0))) == 3000


async def test_a_run_may_not_give_events_without_end(new_runs, monkeypatch):
    monkeypatch.setattr(run_module, "_MAX_EVENTS", 1000)
    closed = threading.Event()

    async def agent(request: AgentRequest):
        try:
            while True:
                yield "x"
        finally:
            closed.set()

    got = await answer(new_runs(), agent)
    assert got[-1].code == "output_too_long"
    assert await happens(closed)


# --- places


class Gate:
    """Agents that wait, and how many of them do."""

    def __init__(self) -> None:
        self.open = threading.Event()
        self.now = self.most = 0
        self._lock = threading.Lock()

    def agent(self, request: AgentRequest):
        with self._lock:
            self.now += 1
            self.most = max(self.most, self.now)
        self.open.wait(PATIENCE_S)
        with self._lock:
            self.now -= 1
        return "done"


async def test_past_the_queue_a_request_is_told_to_come_later(new_runs):
    gate, runs = Gate(), new_runs(max_runs=1, max_queued=1)
    first = await start(runs, gate.agent)
    second = asyncio.create_task(start(runs, gate.agent))
    await asyncio.sleep(0)
    with pytest.raises(RateLimited) as caught:
        await start(runs, gate.agent)
    assert caught.value.headers["retry-after"] == "1"
    assert caught.value.status == 429
    gate.open.set()
    assert text_of(await read(first)) == "done"
    assert text_of(await read(await second)) == "done"
    assert text_of(await answer(runs, gate.agent)) == "done"


async def test_a_place_in_the_queue_is_not_waited_for_for_ever(new_runs):
    gate, runs = Gate(), new_runs(max_runs=1, max_queued=4, queue_timeout_s=0.05)
    run = await start(runs, gate.agent)
    with pytest.raises(RateLimited) as caught:
        await start(runs, gate.agent)
    assert "0.05 s" in caught.value.message and caught.value.headers["retry-after"]
    gate.open.set()
    await read(run)
    assert text_of(await answer(runs, fine)) == "fine"


async def test_no_more_run_at_once_than_may(new_runs):
    runs = new_runs(max_runs=3, max_queued=100)
    now = most = 0

    async def agent(request: AgentRequest):
        nonlocal now, most
        now += 1
        most = max(most, now)
        await asyncio.sleep(0.002)
        now -= 1
        return "done"

    async def one() -> str:
        run = await start(runs, agent)
        assert len(runs.active) <= 3
        return text_of(await read(run))

    assert await asyncio.gather(*(one() for _ in range(40))) == ["done"] * 40
    assert most == 3


async def test_a_newcomer_takes_no_place_that_was_given_away(new_runs):
    gate, runs = Gate(), new_runs(max_runs=1, max_queued=4)
    first = await start(runs, gate.agent)
    waiting = asyncio.create_task(start(runs, gate.agent))
    await asyncio.sleep(0)
    first.cancel(RunFailed("x", "y"))  # gives the place to the one who waits, who has not woken up yet
    newcomer = asyncio.create_task(start(runs, gate.agent))
    await asyncio.wait([waiting], timeout=PATIENCE_S)
    assert len(runs.active) == 1 and not newcomer.done()
    gate.open.set()
    await read(await waiting)
    await read(await newcomer)


async def test_who_gives_up_waiting_leaves_the_place_to_the_next(new_runs):
    gate, runs = Gate(), new_runs(max_runs=1, max_queued=4)
    first = await start(runs, gate.agent)
    impatient = asyncio.create_task(start(runs, gate.agent))
    patient = asyncio.create_task(start(runs, gate.agent))
    await asyncio.sleep(0)
    impatient.cancel()
    gate.open.set()
    await read(first)
    assert text_of(await read(await asyncio.wait_for(patient, PATIENCE_S))) == "done"
    with pytest.raises(asyncio.CancelledError):
        await impatient
    assert text_of(await answer(runs, fine)) == "fine"


async def test_who_still_waits_when_the_server_drains_is_told(new_runs):
    gate, runs = Gate(), new_runs(max_runs=1, max_queued=4)
    first = await start(runs, gate.agent)
    waiting = [asyncio.create_task(start(runs, gate.agent)) for _ in range(2)]
    await asyncio.sleep(0)
    gate.open.set()
    runs.draining = True
    await read(first)
    for one in waiting:
        with pytest.raises(Unavailable):
            await asyncio.wait_for(one, PATIENCE_S)
    with pytest.raises(Unavailable):
        await start(runs, fine)


# --- what is kept


async def test_finished_runs_are_kept_up_to_a_number(new_runs):
    runs = new_runs(kept_runs=2)
    done = []
    for _ in range(3):
        run = await start(runs, fine)
        await read(run)
        done.append(run)
    assert [runs.get(run.id) for run in done] == [None, *done[1:]]
    assert runs.list() == [done[2], done[1]]


async def test_none_is_kept_where_none_may_be(new_runs):
    runs = new_runs(kept_runs=0)
    run = await start(runs, fine)
    await read(run)
    assert runs.get(run.id) is None


async def test_finished_runs_are_forgotten_after_a_time(new_runs, later):
    runs = new_runs(kept_s=60)
    run = await start(runs, fine)
    await read(run)
    assert runs.get(run.id) is run
    later(61)
    while runs.get(run.id) is not None:  # noqa: ASYNC110 - nothing tells
        await asyncio.sleep(0.02)


async def test_a_run_is_its_owners(new_runs):
    runs = new_runs()
    run = await start(runs, fine, owner="a")
    assert runs.get(run.id, "a") is run
    assert runs.get(run.id, "b") is None and runs.get(run.id) is None
    assert runs.list("a") == [run] and runs.list("b") == []
    await read(run)
    assert runs.get(run.id, "a") is run and runs.get(run.id, "b") is None


async def test_a_late_reader_reads_the_same(new_runs):
    async def agent(request: AgentRequest):
        for letter in "abcdefghijklmnopqrstuvwxyz":
            yield letter

    run = await start(new_runs(), agent)
    live = await read(run)
    late = await read(run)
    assert text_of(live) == text_of(late) == "abcdefghijklmnopqrstuvwxyz"
    assert late[0] == live[0] and late[-1] == live[-1]


# --- opening and closing


async def test_closing_ends_runs_and_lets_agents_clean_up(monkeypatch):
    monkeypatch.setattr(runs_module, "_CLEAN_UP_S", PATIENCE_S)
    cleaned = []

    async def agent(request: AgentRequest):
        try:
            yield "x"
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0.01)
            cleaned.append("async")

    def plain(request: AgentRequest):
        try:
            while True:
                yield "x"
                time.sleep(0.001)
        finally:
            cleaned.append("sync")

    runs = Runs(Limits())
    going = [await start(runs, agent), await start(runs, plain)]
    for run in going:
        await speaks(run)
    await runs.close()
    assert sorted(cleaned) == ["async", "sync"]
    for run in going:
        assert (await read(run))[-1].code == "server_shutdown"
    await runs.close()


async def test_runs_may_be_opened_again_after_they_were_closed(new_runs, later):
    runs = new_runs(first_event_timeout_s=60)
    for _ in range(2):
        runs.open()
        assert text_of(await answer(runs, fine)) == "fine"
        silent = await start(runs, lambda request: asyncio.Event().wait())
        later(61)
        assert (await read(silent))[-1].code == "timeout"
        await runs.close()


def test_runs_may_be_opened_again_on_another_loop(later):
    runs = Runs(Limits(first_event_timeout_s=60))

    async def once() -> None:
        runs.open()
        going = await start(runs, endless)
        await speaks(going)
        silent = await start(runs, lambda request: asyncio.Event().wait())
        later(61)
        assert (await read(silent))[-1].code == "timeout"
        await runs.close()

    for _ in range(2):
        asyncio.run(once())


# --- what an agent can see


asked_by: contextvars.ContextVar[str] = contextvars.ContextVar("asked_by", default="nobody")


def _seen() -> str:
    execution = current_execution.get()
    return f"{asked_by.get()} {execution.id if execution else None}"


async def in_a_task(request: AgentRequest):
    return _seen()


async def in_a_generator(request: AgentRequest):
    await asyncio.sleep(0)
    yield _seen()


def in_a_thread(request: AgentRequest):
    return _seen()


def in_a_sync_generator(request: AgentRequest):
    yield _seen()


async def gives_a_sync_generator(request: AgentRequest):
    return in_a_sync_generator(request)


def gives_a_coroutine(request: AgentRequest):
    return in_a_task(request)


@pytest.mark.parametrize(
    "agent",
    [in_a_task, in_a_generator, in_a_thread, in_a_sync_generator, gives_a_sync_generator, gives_a_coroutine],
)
async def test_an_agent_finds_its_run_wherever_it_runs(new_runs, agent):
    runs = new_runs()
    one, other = await start(runs, agent), await start(runs, agent)
    assert text_of(await read(one)).endswith(one.id)
    assert text_of(await read(other)).endswith(other.id)


@pytest.mark.parametrize("agent", [in_a_thread, in_a_sync_generator, gives_a_coroutine])
async def test_a_thread_has_the_context_of_the_request(new_runs, agent):
    asked_by.set("somebody")
    assert text_of(await answer(new_runs(), agent)).startswith("somebody ")


async def test_user_code_never_runs_on_the_servers_loop(new_runs):
    here = threading.get_ident()

    async def agent(request: AgentRequest):
        return str(threading.get_ident() != here)

    runs = new_runs()
    assert text_of(await answer(runs, agent)) == "True"
    assert text_of(await answer(runs, lambda request: str(threading.get_ident() != here))) == "True"


async def test_sync_agents_run_side_by_side(new_runs):
    together = threading.Barrier(20)

    def agent(request: AgentRequest):
        together.wait(PATIENCE_S)
        return "met"

    runs = new_runs()
    answers = await asyncio.gather(*(answer(runs, agent) for _ in range(20)))
    assert {text_of(got) for got in answers} == {"met"}


async def test_usage_adds_up_and_client_tools_are_known(new_runs):
    async def agent(request: AgentRequest):
        yield Usage(1, 2, {"cached_tokens": 1})
        yield events.tool_call("theirs", {}, call_id="c")
        yield Usage(3, 4, {"cached_tokens": 1})

    ended = []
    runs = new_runs(on_end=ended.append)
    run = await runs.start(Agent(agent), ask(tools=[Tool("theirs")], session_id="s1"))
    got = await read(run)
    assert run.usage == Usage(4, 6, {"cached_tokens": 2})
    assert got[0] == RunStarted(run.id, "s1")
    assert got[-1] == RunFinished("tool_calls")
    assert ended == [run]
    assert run.first_output is not None and run.created <= run.first_output <= run.finished


async def test_an_agent_may_be_any_object(new_runs):
    agent = SimpleNamespace(func=None)
    assert text_of(await answer(new_runs(), functools.partial(lambda a, request: "x", agent))) == "x"
