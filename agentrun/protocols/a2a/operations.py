"""What a caller can do with tasks, whichever binding it came over."""

from __future__ import annotations

import base64
from collections.abc import Sequence

import msgspec

from agentrun.errors import RequestError
from agentrun.protocols.a2a import errors, push
from agentrun.protocols.a2a.encoder import TaskEncoder
from agentrun.protocols.a2a.errors import A2AError
from agentrun.protocols.a2a.found import Params, find, shown, withdrawn
from agentrun.protocols.a2a.request import SendMessageRequest, agent_request, read
from agentrun.protocols.a2a.task import ending_of, task_id_of
from agentrun.protocols.a2a.words import INPUT_REQUIRED, state_of
from agentrun.protocols.body import read_fields
from agentrun.protocols.bots import served_bot
from agentrun.protocols.json_rpc import Id
from agentrun.protocols.protocol import Ask, Desk, Replay, Stream, call_of
from agentrun.run import Run
from agentrun.run.turns import snapshot
from agentrun.sessions import Scope, Turn

_PAGE, _LARGEST_PAGE = 50, 100


class StreamedResponse(msgspec.Struct):
    """One frame: a `task`, a `statusUpdate` or an `artifactUpdate`, in a JSON-RPC answer or as it is."""


class ListTasks(msgspec.Struct, rename="camel"):
    """Which tasks, and how many at once."""

    context_id: str = ""
    status: str = ""
    page_size: int = _PAGE
    page_token: str = ""
    history_length: int | None = None
    include_artifacts: bool = False


class Framing(msgspec.Struct, frozen=True):
    """How a binding wraps what streams."""

    rpc_id: Id = None
    plain: bool = False
    legacy: bool = False

    def encoder(self, run: Run) -> TaskEncoder:
        return TaskEncoder(call_of(run), rpc_id=self.rpc_id, plain=self.plain, legacy=self.legacy)


async def send(params: Params, ask: Ask, desk: Desk) -> Params:
    """Ask the agent; the task as it is at its end, or at once where the caller wants that."""
    asked, run = await _start(params, ask, desk, stream=False)
    options = asked.configuration
    if options is None or not options.return_immediately:
        while not run.ended:
            await run.changed()
    length = options.history_length if options else None
    return {"task": shown(snapshot(run), ask.owner, desk, length)}


async def stream(params: Params, ask: Ask, desk: Desk, framing: Framing) -> Stream:
    """Ask the agent, and follow the task."""
    _, run = await _start(params, ask, desk, stream=True)
    return Stream(run=run, encoder=framing.encoder(run), at_once=True)


async def get(params: Params, ask: Ask, desk: Desk) -> Params:
    """One task."""
    turn = await find(params.get("id"), ask, desk)
    return shown(turn, ask.owner, desk, _length(params.get("historyLength")))


async def cancel(params: Params, ask: Ask, desk: Desk) -> Params:
    """Stop a task that goes on."""
    turn = await find(params.get("id"), ask, desk)
    run = desk.conversations.runs.get(turn.id, ask.owner)
    if run is None or (run.ended and not run.parked):
        raise A2AError(errors.NOT_CANCELABLE, f"The task {params['id']!r} does not go on any more.")
    waited = run.ended
    run.cancel()
    while not run.ended:
        await run.changed()
    if waited:  # its Run had ended before: nobody else would tell
        desk.outbox.send(push.notices(run, desk))
    return shown(snapshot(run), ask.owner, desk)


async def subscribe(params: Params, ask: Ask, desk: Desk, framing: Framing) -> Replay:
    """Follow a task that goes on, from its start."""
    turn = await find(params.get("id"), ask, desk)
    run = desk.conversations.runs.get(turn.id, ask.owner)
    if run is None or run.ended:
        raise A2AError(
            errors.UNSUPPORTED, f"The task {params['id']!r} does not go on any more: get it instead."
        )
    return Replay(run=run, encoder=framing.encoder(run))


async def list_tasks(params: Params, ask: Ask, desk: Desk) -> Params:
    """Tasks, newest first: all of a context, or without one those that this server has in memory."""
    wanted = read_fields(params, ListTasks)
    if not 1 <= wanted.page_size <= _LARGEST_PAGE:
        raise RequestError(
            f"pageSize is {wanted.page_size}; it has to be 1 to {_LARGEST_PAGE}.", param="pageSize"
        )
    turns = await _turns(wanted.context_id, ask, desk)
    if wanted.status:
        turns = [turn for turn in turns if state_of(ending_of(turn.events)) == wanted.status]
    start = _offset(wanted.page_token)
    page = turns[start : start + wanted.page_size]
    end = start + len(page)
    return {
        "tasks": [
            shown(turn, ask.owner, desk, wanted.history_length, artifacts=wanted.include_artifacts)
            for turn in page
        ],
        "nextPageToken": _token(end) if end < len(turns) else "",
        "pageSize": wanted.page_size,
        "totalSize": len(turns),
    }


async def no_extended_card(params: Params, ask: Ask, desk: Desk) -> Params:
    """Everyone sees the same card."""
    raise A2AError(errors.NO_EXTENDED_CARD, "The public card says all there is.")


async def _start(params: Params, ask: Ask, desk: Desk, *, stream: bool) -> tuple[SendMessageRequest, Run]:
    asked = read(params)
    named = asked.configuration.task_push_notification_config if asked.configuration else None
    config = await push.read(named, desk) if named else None
    request = agent_request(asked, params, ask.headers, stream=stream)
    if "bot_id" in ask.path:
        request.bot_id = served_bot(ask.path["bot_id"], desk)
    if asked.message.task_id:
        await _check_waits(asked, ask, desk)
        latest = await find(asked.message.task_id, ask, desk)
        request.continues = latest.id
    run = await desk.start(request)
    if config is not None:
        kept = await desk.conversations.store.turn(run.owner, run.id)
        await push.keep(config, kept or snapshot(run), desk)
    push.watch(run, desk)
    if "x-on-disconnect" not in ask.headers:
        run.on_disconnect = "continue"  # a task outlives who asked for it
    return asked, run


async def _check_waits(asked: SendMessageRequest, ask: Ask, desk: Desk) -> None:
    turn = await find(asked.message.task_id, ask, desk)
    if asked.message.context_id and asked.message.context_id != turn.session_id:
        raise RequestError("message.contextId is not that of the task.", param="message.contextId")
    if state_of(ending_of(turn.events)) != INPUT_REQUIRED or withdrawn(turn, ask.owner, desk):
        raise A2AError(
            errors.UNSUPPORTED,
            f"The task {asked.message.task_id!r} does not wait for a message: send it with the contextId alone.",
        )


async def _turns(context_id: str, ask: Ask, desk: Desk) -> Sequence[Turn]:
    runs = [run for run in desk.conversations.runs.list(ask.owner) if run.request.protocol == "a2a"]
    if "bot_id" in ask.path:
        runs = [run for run in runs if run.request.bot_id == ask.path["bot_id"]]
    if not context_id:
        return _latest([snapshot(run) for run in runs])
    bots = [ask.path["bot_id"]] if "bot_id" in ask.path else ["", *desk.bots]
    scopes = [Scope(ask.owner, bot_id, ask.headers.get("x-user-id") or "") for bot_id in bots]
    kept = [turn for scope in scopes for turn in await desk.conversations.store.session(scope, context_id)]
    kept.sort(key=lambda turn: turn.created, reverse=True)
    return _latest([turn for turn in kept if turn.request.protocol == "a2a"])


def _latest(turns: Sequence[Turn]) -> list[Turn]:
    """Of each task its latest Run; newest first, as they are given."""
    found: dict[str, Turn] = {}
    for turn in turns:
        found.setdefault(task_id_of(turn.id, turn.request), turn)
    return list(found.values())


def _length(value: object) -> int | None:
    if value is None:
        return None
    try:
        return max(int(str(value)), 0)
    except ValueError:
        raise RequestError(
            f"historyLength is {value!r}; it has to be a number.", param="historyLength"
        ) from None


def _token(offset: int) -> str:
    return base64.urlsafe_b64encode(str(offset).encode()).decode()


def _offset(token: str) -> int:
    if not token:
        return 0
    try:
        return max(int(base64.urlsafe_b64decode(token)), 0)
    except ValueError:
        raise RequestError(f"pageToken {token!r} is none of this server's.", param="pageToken") from None
