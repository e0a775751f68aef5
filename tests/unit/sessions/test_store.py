"""One contract, every database."""

from __future__ import annotations

import asyncio
import signal
import sqlite3
import stat
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from patience import PATIENCE_S

from agentrun.errors import AgentRunError, ConfigError, Unavailable
from agentrun.events import (
    Custom,
    InputRequired,
    PartDelta,
    PartEnded,
    PartStarted,
    RunFailed,
    RunFinished,
    RunStarted,
    StateChanged,
    Usage,
)
from agentrun.messages import AgentRequest, File, Image, Message, Role, Text, Tool, ToolCall
from agentrun.sessions import Note, Scope, Turn, branch, messages_of, open_store
from agentrun.sessions.sql_store import SqlStore

ALICE = Scope("key-1", "ibot-shop-v1", "alice")
REQUEST = AgentRequest(
    messages=[
        Message(Role.SYSTEM, "Be “brief”; drop\ttables\x00'; --"),
        Message(
            Role.USER, [Text("你好 🙂"), Image("data:image/png;base64,AA", "low"), File("f", None, "a.txt")]
        ),
        Message(Role.ASSISTANT, None, tool_calls=[ToolCall("c", "f", "{}")]),
        Message(Role.TOOL, "42", tool_call_id="c"),
    ],
    tools=[Tool("f", "d", {"type": "object"}, spec={"a": [1, None]})],
    session_id="s",
    user_id="alice",
    extra={"temperature": 0.5, "stop": ["x"]},
)
EVENTS = [
    RunStarted("run_1", "s"),
    PartStarted("p1", "text"),
    PartDelta("Hal", "text", "p1"),
    PartDelta("lo", "text", "p1"),
    PartEnded("p1", "text"),
    PartStarted("p2", "tool_call", "f", "c", "agent"),
    PartDelta("{}", "tool_call", "p2", "c"),
    PartEnded("p2", "tool_call", False, "c"),
    StateChanged({"a": [1, {"b": None}]}),
    Custom("thing", {"x": 1.5}),
    Usage(3, 4, {"cached_tokens": 1}),
    InputRequired("Sure?", "input_1", schema={"type": "boolean"}),
    RunFinished("input_required"),
]


def turn(id: str, session_id: str = "s", scope: Scope = ALICE, **fields: object) -> Turn:
    fields = {"created": time.time(), "request": REQUEST, **fields}
    return Turn(id=id, scope=scope, session_id=session_id, **fields)


async def keep(store: SqlStore, turn: Turn, *events: object) -> None:
    await store.begin(turn)
    turn.status, turn.finished, turn.events = "completed", turn.created + 1, list(events)
    await store.end(turn)


async def test_a_turn_comes_back_as_it_was_with_its_deltas_joined(store: SqlStore):
    await keep(store, turn("run_1", parent="run_0"), *EVENTS)
    found = await store.turn("key-1", "run_1")
    assert found is not None
    assert (found.id, found.parent, found.status, found.session_id) == ("run_1", "run_0", "completed", "s")
    assert found.request == REQUEST
    assert found.events == [*EVENTS[:2], PartDelta("Hallo", "text", "p1"), *EVENTS[4:]]
    assert list(await store.session(ALICE, "s")) == [found]


async def test_a_turn_that_goes_on_is_there_already(store: SqlStore):
    await store.begin(turn("run_1"))
    found = await store.turn("key-1", "run_1")
    assert found is not None and found.status == "running" and found.events == []


async def test_turns_come_in_the_order_in_which_they_began(store: SqlStore):
    await asyncio.gather(*(store.begin(turn(f"run_{n}")) for n in range(300)))
    assert [one.id for one in await store.session(ALICE, "s")] == [f"run_{n}" for n in range(300)]


@pytest.mark.parametrize(
    "other",
    [
        Scope("key-2", "ibot-shop-v1", "alice"),
        Scope("key-1", "ibot-b-v1", "alice"),
        Scope("key-1", "ibot-shop-v1"),
    ],
)
async def test_nothing_is_read_or_deleted_across_owner_bot_or_user(store: SqlStore, other: Scope):
    await keep(store, turn("run_1"))
    await store.put(note("n"))
    assert not await store.session(other, "s")
    assert not await store.sessions(other)
    assert not await store.notes(other, "title")
    assert await store.delete_session(other, "s") == 0
    assert await store.delete_notes(other, "title") == 0
    assert not await store.session(ALICE, "t")
    if other.owner != ALICE.owner:
        assert await store.turn(other.owner, "run_1") is None
        assert not await store.delete_turn(other.owner, "run_1")
    assert len(await store.session(ALICE, "s")) == 1
    assert await store.delete_turn("key-1", "run_1")
    assert not await store.delete_turn("key-1", "run_1")


async def test_a_session_goes_with_its_notes_and_no_other(store: SqlStore):
    await keep(store, turn("run_1"))
    await keep(store, turn("run_2"))
    await keep(store, turn("run_3", "t"))
    await store.put(note("n"), note("n", "t"))
    assert await store.delete_session(ALICE, "s") == 2
    assert [one.session_id for one in await store.notes(ALICE, "title")] == ["t"]
    assert [one.session_id for one in await store.sessions()] == ["t"]


async def test_sessions_are_listed_latest_first(store: SqlStore):
    for number, session in enumerate(("a", "b", "a")):
        await keep(store, turn(f"run_{number}", session, created=100.0 + number))
    found = await store.sessions(ALICE)
    assert [(one.session_id, one.turns, one.created, one.updated) for one in found] == [
        ("a", 2, 100.0, 103.0),
        ("b", 1, 101.0, 102.0),
    ]
    assert len(await store.sessions(limit=1)) == 1


def note(id: str, session_id: str = "s", body: object = None, created: float | None = None) -> Note:
    at = time.time() if created is None else created
    return Note(kind="title", id=id, scope=ALICE, session_id=session_id, created=at, body=body)


async def test_of_a_note_there_is_one_the_last(store: SqlStore):
    await store.put(note("a", body={"x": 1}), note("b"))
    await store.put(note("a", body={"x": [2]}))
    assert [(one.id, one.body) for one in await store.notes(ALICE, "title", "s")] == [
        ("a", {"x": [2]}),
        ("b", None),
    ]
    assert await store.delete_notes(ALICE, "title", "s", "a") == 1
    assert await store.delete_notes(ALICE, "title") == 1


async def test_one_that_fails_does_not_take_others_with_it(store: SqlStore):
    await store.begin(turn("run_1"))
    done = await asyncio.gather(
        store.begin(turn("run_2")),
        store.begin(turn("run_1")),
        store.begin(turn("run_3")),
        return_exceptions=True,
    )
    assert [type(one).__name__ for one in done][::2] == ["NoneType", "NoneType"]
    assert isinstance(done[1], Exception)
    assert [one.id for one in await store.session(ALICE, "s")] == ["run_1", "run_2", "run_3"]


async def test_what_was_kept_is_there_after_a_restart(place: str, opened: Callable[..., SqlStore]):
    first = opened(place)
    await keep(first, turn("run_1"), *EVENTS)
    await first.close()
    assert [one.id for one in await opened(place).session(ALICE, "s")] == ["run_1"]


async def test_two_processes_share_a_store_and_see_that_the_other_lives(
    place: str, opened: Callable[..., SqlStore]
):
    one, other = opened(place), opened(place)
    await asyncio.gather(one.begin(turn("run_1")), other.begin(turn("run_2")))
    assert [each.status for each in await other.session(ALICE, "s")] == ["running", "running"]
    await one.close()
    found = await other.turn("key-1", "run_1")
    assert found is not None and found.status == "failed"


KILLED = """
import asyncio, sys, time
from agentrun.messages import AgentRequest, Message, Role
from agentrun.sessions import Scope, Turn, open_store

async def main():
    store = open_store(sys.argv[1], "")
    request = AgentRequest(messages=[Message(Role.USER, "hi")])
    scope = Scope("key-1", "ibot-shop-v1", "alice")
    await store.begin(Turn(id="run_k", scope=scope, session_id="s", created=time.time(), request=request))
    print("begun", flush=True)
    await asyncio.sleep(60)

asyncio.run(main())
"""


def start_and_begin(place: str) -> subprocess.Popen[bytes]:
    process = subprocess.Popen([sys.executable, "-c", KILLED, place], stdout=subprocess.PIPE)
    assert process.stdout is not None
    with process.stdout:
        assert process.stdout.readline() == b"begun\n"
    return process


async def test_a_process_that_was_killed_leaves_a_turn_that_says_so(
    place: str, opened: Callable[..., SqlStore]
):
    store = opened(place)
    process = await asyncio.to_thread(start_and_begin, place)
    alive = await store.turn("key-1", "run_k")
    assert alive is not None and alive.status == "running"
    process.send_signal(signal.SIGKILL)
    process.wait(PATIENCE_S)
    found = await store.turn("key-1", "run_k")
    while found is not None and found.status == "running":
        await asyncio.sleep(0.05)  # PostgreSQL notices a moment later that the connection is gone
        found = await store.turn("key-1", "run_k")
    assert found is not None and found.status == "failed"
    assert [type(event) for event in found.events] == [RunStarted, RunFailed]
    assert found.events[-1].code == "broken_off"  # type: ignore[union-attr]
    assert messages_of(found)[0].text == "hi"
    again = opened(place)
    assert [one.status for one in await again.session(ALICE, "s")] == ["failed"]


async def test_old_sessions_are_forgotten_whole(place: str, opened: Callable[..., SqlStore]):
    first = opened(place)
    now = time.time()
    await keep(first, turn("run_1", "old", created=now - 10_000))
    await keep(first, turn("run_2", "alive", created=now - 10_000))
    await keep(first, turn("run_3", "alive", created=now))
    await first.put(note("n", "old", created=now - 10_000), note("n", "alive", created=now - 10_000))
    await first.close()
    later = opened(place, keep_s=5_000)
    assert [one.session_id for one in await later.sessions()] == ["alive"]
    assert len(await later.session(ALICE, "alive")) == 2
    assert [one.session_id for one in await later.notes(ALICE, "title")] == ["alive"]


async def test_the_file_is_for_its_user_alone(tmp_path: Path, opened: Callable[..., SqlStore]):
    store = opened(f"sqlite://{tmp_path}/data/sessions.db")
    await store.begin(turn("run_1"))
    for file in (tmp_path / "data", *(tmp_path / "data").glob("sessions*")):
        assert not stat.S_IMODE(file.stat().st_mode) & 0o077, file
    assert (tmp_path / "data" / ".gitignore").read_text() == "*\n"
    await store.close()
    assert not list((tmp_path / "data").glob("*-held-*"))


async def test_a_folder_that_cannot_be_made_is_said(opened: Callable[..., SqlStore]):
    with pytest.raises(ConfigError, match="AGENTRUN_DATA"):
        await opened("sqlite:///dev/null/data/sessions.db").begin(turn("run_1"))


async def test_a_file_that_is_no_database_is_said(tmp_path: Path, opened: Callable[..., SqlStore]):
    (tmp_path / "sessions.db").write_text("no database " * 100)
    with pytest.raises(ConfigError, match="cannot be read as a database"):
        await opened(f"sqlite://{tmp_path}/sessions.db").begin(turn("run_1"))


async def test_a_store_of_a_newer_agentrun_is_refused(tmp_path: Path, opened: Callable[..., SqlStore]):
    place = f"sqlite://{tmp_path}/sessions.db"
    first = opened(place)
    await first.begin(turn("run_1"))
    await first.close()
    with sqlite3.connect(tmp_path / "sessions.db") as connection:
        connection.execute("UPDATE sessions_format SET format = 99")
    connection.close()
    with pytest.raises(ConfigError, match="newer AgentRun"):
        await opened(place).turn("", "run_1")


async def test_a_database_that_is_not_there_is_said_without_its_password(opened: Callable[..., SqlStore]):
    store = opened("postgresql://agentrun:secret@127.0.0.1:1/none")
    with pytest.raises(AgentRunError) as caught:
        await store.turn("", "run_1")
    assert caught.value.code == "no_database" and "secret" not in str(caught.value)


async def test_a_database_that_is_held_up_holds_up_nobody_else(
    tmp_path: Path, opened: Callable[..., SqlStore]
):
    store = opened(f"sqlite://{tmp_path}/sessions.db")
    await store.begin(turn("run_1"))
    other = sqlite3.connect(tmp_path / "sessions.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    waiting = asyncio.ensure_future(store.begin(turn("run_2")))
    ticks = 0
    while ticks < 100:
        await asyncio.sleep(0.001)
        ticks += 1
    assert not waiting.done()
    other.execute("COMMIT")
    other.close()
    await waiting
    assert len(await store.session(ALICE, "s")) == 2


@pytest.mark.parametrize("place", ["postgres"], indirect=True)
async def test_a_connection_that_was_lost_is_made_again(place: str, opened: Callable[..., SqlStore]):
    import psycopg

    store = opened(place)
    await store.begin(turn("run_1"))
    with psycopg.connect(place, autocommit=True) as other:
        other.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
    with pytest.raises(Unavailable, match="connection to the database was lost"):
        await store.begin(turn("run_2"))
    ended = turn("run_1", status="completed", finished=1.0, events=EVENTS)
    await store.end(ended)
    found = await store.turn("key-1", "run_1")
    assert found is not None and found.status == "completed"


def test_an_unknown_place_is_said():
    with pytest.raises(ConfigError, match="'mysql' is no place for sessions"):
        open_store("mysql://x", "")


def test_a_branch_is_what_leads_to_its_tip():
    turns = [turn("a"), turn("b", parent="a"), turn("c", parent="a"), turn("d", parent="c")]
    assert [one.id for one in branch(turns)] == ["a", "c", "d"]
    assert [one.id for one in branch(turns, "b")] == ["a", "b"]


def test_what_was_asked_is_part_of_the_conversation():
    asked = turn("a", events=[*EVENTS[:5], *EVENTS[-2:]])
    assert messages_of(asked)[-1] == Message(Role.ASSISTANT, "Hallo\n\nSure?")
