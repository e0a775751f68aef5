"""Turns and notes as rows, and their SQL. JSON only."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from agentrun.events import AnyEvent, PartDelta, RunFailed, RunStarted
from agentrun.messages import AgentRequest
from agentrun.sessions.database import Database, Row
from agentrun.sessions.store import Note, Summary
from agentrun.sessions.turn import Scope, Turn

SCOPE = "owner = ? AND bot_id = ? AND user_id = ?"
_TURN = "id, owner, bot_id, user_id, session_id, parent, status, holder, created, finished, request, events"
_NOTE = "kind, id, owner, bot_id, user_id, session_id, created, body"
_BROKEN_OFF = RunFailed("broken_off", "The server ended in the middle of this run.")
_encode = msgspec.json.Encoder(enc_hook=str).encode
_events = msgspec.json.Decoder(list[AnyEvent])
_request = msgspec.json.Decoder(AgentRequest)


def tables(database: Database) -> list[str]:
    """What there has to be."""
    return [
        f"""CREATE TABLE IF NOT EXISTS turn (number {database.serial}, id TEXT NOT NULL UNIQUE,
            owner TEXT NOT NULL, bot_id TEXT NOT NULL, user_id TEXT NOT NULL, session_id TEXT NOT NULL,
            parent TEXT, status TEXT NOT NULL, holder TEXT NOT NULL, created DOUBLE PRECISION NOT NULL,
            finished DOUBLE PRECISION, request TEXT NOT NULL, events TEXT NOT NULL)""",
        "CREATE INDEX IF NOT EXISTS turn_session ON turn (owner, bot_id, user_id, session_id, number)",
        "CREATE INDEX IF NOT EXISTS turn_running ON turn (holder) WHERE status = 'running'",
        f"""CREATE TABLE IF NOT EXISTS note (number {database.serial}, kind TEXT NOT NULL, id TEXT NOT NULL,
            owner TEXT NOT NULL, bot_id TEXT NOT NULL, user_id TEXT NOT NULL, session_id TEXT NOT NULL,
            created DOUBLE PRECISION NOT NULL, body TEXT NOT NULL,
            UNIQUE (owner, bot_id, user_id, session_id, kind, id))""",
    ]


def scope_values(scope: Scope) -> tuple[str, str, str]:
    return scope.owner, scope.bot_id, scope.user_id


def insert_turn(database: Database, turn: Turn) -> None:
    database.execute(
        f"INSERT INTO turn ({_TURN}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        turn.id,
        *scope_values(turn.scope),
        turn.session_id,
        turn.parent,
        turn.status,
        database.holder,
        turn.created,
        turn.finished,
        _json(turn.request),
        _json(merged(turn.events)),
    )


def update_turn(database: Database, turn: Turn) -> None:
    database.execute(
        "UPDATE turn SET status = ?, finished = ?, events = ? WHERE id = ?",
        turn.status,
        turn.finished,
        _json(merged(turn.events)),
        turn.id,
    )


def select_turns(database: Database, where: str, *values: Any) -> list[Turn]:
    """In the order in which they began."""
    rows = database.execute(f"SELECT {_TURN} FROM turn WHERE {where} ORDER BY number", *values)
    return [_turn(database, row) for row in rows]


def select_summaries(database: Database, where: str, *values: Any) -> list[Summary]:
    """The latest first."""
    rows = database.execute(
        "SELECT owner, bot_id, user_id, session_id, COUNT(*), MIN(created), MAX(COALESCE(finished, created))"
        f" FROM turn WHERE {where} GROUP BY owner, bot_id, user_id, session_id"
        " ORDER BY MAX(number) DESC LIMIT ?",
        *values,
    )
    return [
        Summary(session_id=row[3], scope=Scope(*row[:3]), turns=row[4], created=row[5], updated=row[6])
        for row in rows
    ]


def put_note(database: Database, note: Note) -> None:
    database.execute(
        f"INSERT INTO note ({_NOTE}) VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
        " ON CONFLICT (owner, bot_id, user_id, session_id, kind, id) DO UPDATE SET body = excluded.body",
        note.kind,
        note.id,
        *scope_values(note.scope),
        note.session_id,
        note.created,
        _json(note.body),
    )


def select_notes(database: Database, where: str, *values: Any) -> list[Note]:
    """In the order of their creation."""
    rows = database.execute(f"SELECT {_NOTE} FROM note WHERE {where} ORDER BY number", *values)
    return [
        Note(
            kind=row[0],
            id=row[1],
            scope=Scope(*row[2:5]),
            session_id=row[5],
            created=row[6],
            body=msgspec.json.decode(row[7]),
        )
        for row in rows
    ]


def end_broken_off(database: Database) -> None:
    """What other processes began and cannot end any more is failed."""
    for (holder,) in database.execute("SELECT DISTINCT holder FROM turn WHERE status = 'running'"):
        if database.is_alive(holder):
            continue
        for turn in select_turns(database, "status = 'running' AND holder = ?", holder):
            update_turn(database, turn)


def merged(events: Sequence[AnyEvent]) -> list[AnyEvent]:
    """The same with neighbouring deltas of a part as one: that is a tenth of the bytes."""
    kept: list[AnyEvent] = []
    pieces: list[str] = []
    for event in events:
        last = kept[-1] if kept else None
        if isinstance(event, PartDelta) and isinstance(last, PartDelta) and last.id == event.id:
            pieces.append(event.text)
            continue
        _join(kept, pieces)
        kept.append(event)
        pieces = [event.text] if isinstance(event, PartDelta) else []
    _join(kept, pieces)
    return kept


def _join(kept: list[AnyEvent], pieces: list[str]) -> None:
    if len(pieces) > 1:
        kept[-1] = msgspec.structs.replace(kept[-1], text="".join(pieces))


def _turn(database: Database, row: Row) -> Turn:
    status, holder = row[6], row[7]
    turn = Turn(
        id=row[0],
        scope=Scope(*row[1:4]),
        session_id=row[4],
        parent=row[5],
        status=status,
        created=row[8],
        finished=row[9],
        request=_request.decode(row[10]),
        events=_events.decode(row[11]),
    )
    if status == "running" and not database.is_alive(holder):
        turn.status = "failed"
        turn.events = [RunStarted(turn.id, turn.session_id), _BROKEN_OFF]
    return turn


def _json(value: object) -> str:
    return _encode(value).decode()
