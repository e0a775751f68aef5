"""A2A by plain HTTP: paths, and answers with the status that HTTP has for them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

import msgspec

from agentrun.errors import AgentRunError
from agentrun.protocols.a2a import errors, operations, push
from agentrun.protocols.a2a.errors import A2AError
from agentrun.protocols.a2a.found import Params
from agentrun.protocols.a2a.operations import Framing, StreamedResponse
from agentrun.protocols.a2a.request import SendMessageRequest
from agentrun.protocols.a2a.rpc import check_version
from agentrun.protocols.body import read_body
from agentrun.protocols.protocol import Action, Answer, Ask, Desk, Replay, Reply, Stream
from agentrun.utils.json import dumps

_PLAIN = Framing(plain=True)
_NUMBERS = ("pageSize", "historyLength")
_OF_TASKS = {"task_id": "id"}
_OF_CONFIGS = {"task_id": "taskId", "config_id": "id"}

Operation = Callable[[Params, Ask, Desk], Awaitable[Params]]
Following = Callable[[Params, Ask, Desk, Framing], Awaitable[Stream | Replay]]


class Status(msgspec.Struct, kw_only=True):
    """google.rpc.Status."""

    code: int
    status: str
    message: str
    details: list[dict[str, Any]]


class RestError(msgspec.Struct):
    """The answer to a request that failed."""

    error: Status


class Anything(msgspec.Struct):
    """As A2A's specification has it."""


def _whole(
    operation: Operation, names: Mapping[str, str] = _OF_TASKS
) -> Callable[[Ask, Desk], Awaitable[Answer]]:
    async def act(ask: Ask, desk: Desk) -> Answer:
        try:
            return Reply(body=dumps(await operation(_params(ask, names), ask, desk)))
        except AgentRunError as error:
            return _failure(error)

    return act


def _followed(operation: Following) -> Callable[[Ask, Desk], Awaitable[Answer]]:
    async def act(ask: Ask, desk: Desk) -> Answer:
        try:
            return await operation(_params(ask, _OF_TASKS), ask, desk, _PLAIN)
        except AgentRunError as error:
            return _failure(error)

    return act


def _params(ask: Ask, names: Mapping[str, str]) -> Params:
    """The body, the parameters of the URL and what stands in the path, under these names, as one."""
    check_version(ask)
    params: Params = read_body(ask.body, Anything)[0] if ask.body else {}
    for name, value in ask.query.items():
        params[name] = int(value) if name in _NUMBERS and value.isascii() and value.isdigit() else value
    if "includeArtifacts" in params:
        params["includeArtifacts"] = params["includeArtifacts"] == "true"
    return {**params, **{names[part]: value for part, value in ask.path.items()}}


def _failure(error: AgentRunError) -> Reply:
    known: A2AError | None = errors.known(error)
    if known is None:
        raise error
    kind = known.kind
    status = Status(code=kind.http, status=kind.status, message=str(known), details=[errors.details(kind)])
    return Reply(body=dumps(RestError(status)), status=kind.http, media_type="application/json")


def _action(path: str, summary: str, act: Callable[[Ask, Desk], Awaitable[Answer]], **more: Any) -> Action:
    return Action(path=f"/a2a{path}", summary=summary, act=act, prefixed=False, error=RestError, **more)


_TASK = "/tasks/{task_id}"
_PUSH = f"{_TASK}/pushNotificationConfigs"
ACTIONS: Sequence[Action] = (
    _action(
        "/message:send",
        "Ask the agent; the answer is a task",
        _whole(operations.send),
        method="POST",
        request=SendMessageRequest,
    ),
    _action(
        "/message:stream",
        "Ask the agent, and follow its task",
        _followed(operations.stream),
        method="POST",
        request=SendMessageRequest,
        chunk=StreamedResponse,
    ),
    _action("/tasks", "Tasks, newest first", _whole(operations.list_tasks)),
    _action(f"{_TASK}:cancel", "Stop a task", _whole(operations.cancel), method="POST"),
    _action(
        f"{_TASK}:subscribe",
        "Follow a task that goes on",
        _followed(operations.subscribe),
        chunk=StreamedResponse,
    ),
    _action(
        f"{_TASK}:subscribe",
        "The same",
        _followed(operations.subscribe),
        method="POST",
        chunk=StreamedResponse,
    ),
    _action(_TASK, "A task", _whole(operations.get)),
    _action(_PUSH, "Where a task is sent to", _whole(push.list_all, _OF_CONFIGS)),
    _action(
        _PUSH,
        "Have a task sent somewhere when it ends or waits",
        _whole(push.create, _OF_CONFIGS),
        method="POST",
        request=push.PushConfig,
    ),
    _action(f"{_PUSH}/{{config_id}}", "One of these addresses", _whole(push.get, _OF_CONFIGS)),
    _action(
        f"{_PUSH}/{{config_id}}",
        "Send nothing there",
        _whole(push.delete, _OF_CONFIGS),
        method="DELETE",
    ),
    _action("/extendedAgentCard", "Not offered", _whole(operations.no_extended_card)),
)
