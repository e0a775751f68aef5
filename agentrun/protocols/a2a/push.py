"""Push notifications: a task that has come to an end, or waits, is sent to the addresses that its caller named.

The configurations are notes beside the task's session: they last as long as that does, and who may see the task may see
them, without their credentials.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import msgspec
from msgspec import structs

from agentrun.errors import RequestError
from agentrun.protocols.a2a import errors, found, legacy
from agentrun.protocols.a2a.errors import A2AError
from agentrun.protocols.a2a.found import Params
from agentrun.protocols.a2a.task import task_id_of
from agentrun.protocols.body import read_fields
from agentrun.protocols.protocol import Ask, Desk, Notice
from agentrun.run import Run
from agentrun.run.turns import snapshot
from agentrun.sessions import Note, Turn
from agentrun.utils import ids
from agentrun.utils.json import dumps

_KIND = "a2a_push"
_MOST = 8  # of one task
_LONGEST = 2048


class Authentication(msgspec.Struct):
    """How the receiver knows that it is us: `Authorization: SCHEME CREDENTIALS`."""

    scheme: str
    credentials: str = ""


class PushConfig(msgspec.Struct, rename="camel", omit_defaults=True):
    """Where a task is sent to. The receiver finds `token` in `X-A2A-Notification-Token`."""

    url: str
    task_id: str = ""
    id: str = ""
    token: str = ""
    authentication: Authentication | None = None


class KeptConfig(PushConfig):
    """As it is kept."""

    legacy: bool = False  # whether it is sent in the words of 0.3


class OneConfig(msgspec.Struct, rename="camel"):
    """Which configuration of which task."""

    task_id: str
    id: str = ""


async def create(params: Params, ask: Ask, desk: Desk) -> Params:
    """Name an address for a task; another one under an id that is there takes its place."""
    config = await read(params, desk)
    turn = await _home(config.task_id, ask, desk)
    return _shown(await keep(config, turn, desk))


async def get(params: Params, ask: Ask, desk: Desk) -> Params:
    """One configuration."""
    asked = read_fields(params, OneConfig)
    known = await _configs(await _home(asked.task_id, ask, desk), desk)
    for config in known:
        if config.id == asked.id:
            return _shown(config)
    raise A2AError(
        errors.TASK_NOT_FOUND, f"The task {asked.task_id!r} has no push configuration {asked.id!r}."
    )


async def list_all(params: Params, ask: Ask, desk: Desk) -> Params:
    """All of a task; there are never so many that it takes a second page."""
    asked = read_fields(params, OneConfig)
    known = await _configs(await _home(asked.task_id, ask, desk), desk)
    return {"configs": [_shown(config) for config in known], "nextPageToken": ""}


async def delete(params: Params, ask: Ask, desk: Desk) -> Params:
    """Send nothing there any more, if it was sent."""
    asked = read_fields(params, OneConfig)
    turn = await _home(asked.task_id, ask, desk)
    note_id = _note_id(asked.task_id, asked.id)
    await desk.conversations.store.delete_notes(turn.scope, _KIND, turn.session_id, note_id)
    return {}


async def read(params: Any, desk: Desk) -> KeptConfig:
    """A configuration, or a RequestError that says what is wrong with it."""
    config = read_fields(params, KeptConfig)
    given = config.authentication or Authentication("")
    for name, value in (
        ("id", config.id), ("token", config.token), ("authentication.scheme", given.scheme),
        ("authentication.credentials", given.credentials), ("url", config.url),
    ):  # fmt: skip
        if len(value) > _LONGEST or not (value.isascii() and value.isprintable()):
            raise RequestError(f"{name} has to be at most {_LONGEST} printable characters.", param=name)
    await desk.outbox.check(config.url)
    return config


async def keep(config: KeptConfig, turn: Turn, desk: Desk) -> KeptConfig:
    """Keep it for the task that this turn is of."""
    task_id = task_id_of(turn.id, turn.request)
    config = structs.replace(config, task_id=task_id, id=config.id or ids.new("push_"))
    known = {one.id for one in await _configs(turn, desk)}
    if len(known | {config.id}) > _MOST:
        raise RequestError(f"A task has at most {_MOST} push configurations.", param="id")
    note = Note(
        kind=_KIND,
        id=_note_id(task_id, config.id),
        scope=turn.scope,
        session_id=turn.session_id,
        created=time.time(),
        body=msgspec.to_builtins(config),
    )
    await desk.conversations.store.put(note)
    return config


def watch(run: Run, desk: Desk) -> None:
    """Send the task when this Run of it has ended."""

    def changed() -> None:
        if run.ended:
            run.unfollow(changed)
            desk.outbox.send(notices(run, desk))

    run.follow(changed)
    changed()


async def notices(run: Run, desk: Desk) -> Sequence[Notice]:
    """What is to be sent now, and where to."""
    turn = snapshot(run)
    kept = await desk.conversations.store.turn(run.owner, turn.id)
    if kept is None:
        return []  # it was deleted
    task = {"task": found.shown(turn, run.owner, desk)}
    old: Params = legacy.response_of(task)
    return [
        Notice(url=config.url, body=dumps(old if config.legacy else task), headers=_headers(config))
        for config in await _configs(kept, desk)
    ]


async def _home(task_id: str, ask: Ask, desk: Desk) -> Turn:
    """The task's first Run, as it is kept: beside it stand the configurations."""
    turn = await desk.conversations.store.turn(ask.owner, task_id)
    if turn is None or turn.request.protocol != "a2a":
        raise A2AError(errors.TASK_NOT_FOUND, f"There is no task {task_id!r}.")
    return turn


async def _configs(turn: Turn, desk: Desk) -> list[KeptConfig]:
    notes = await desk.conversations.store.notes(turn.scope, _KIND, turn.session_id)
    task_id = task_id_of(turn.id, turn.request)
    configs = [msgspec.convert(note.body, KeptConfig) for note in notes]
    return [config for config in configs if config.task_id == task_id]


def _note_id(task_id: str, id: str) -> str:
    return f"{task_id}/{id}"


def _shown(config: PushConfig) -> Params:
    """Without what is a secret of the receiver's."""
    known: Params = msgspec.to_builtins(config)
    known.pop("legacy", None)
    known.get("authentication", {}).pop("credentials", None)
    return known


def _headers(config: KeptConfig) -> dict[str, str]:
    headers = {"content-type": "application/json", "a2a-version": "0.3" if config.legacy else "1.0"}
    if config.token:
        headers["x-a2a-notification-token"] = config.token
    given = config.authentication
    if given is not None and given.credentials:
        headers["authorization"] = f"{given.scheme} {given.credentials}"
    return headers
