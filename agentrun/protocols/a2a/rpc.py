"""A2A by JSON-RPC: which method is which operation."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from agentrun.errors import AgentRunError
from agentrun.protocols import json_rpc
from agentrun.protocols.a2a import errors, legacy, operations, push
from agentrun.protocols.a2a.errors import A2AError
from agentrun.protocols.a2a.found import Params
from agentrun.protocols.a2a.operations import Framing
from agentrun.protocols.protocol import Answer, Ask, Desk, Replay, Reply, Stream

_WHOLE: dict[str, Callable[[Params, Ask, Desk], Awaitable[Params]]] = {
    "SendMessage": operations.send,
    "GetTask": operations.get,
    "ListTasks": operations.list_tasks,
    "CancelTask": operations.cancel,
    "CreateTaskPushNotificationConfig": push.create,
    "GetTaskPushNotificationConfig": push.get,
    "ListTaskPushNotificationConfigs": push.list_all,
    "DeleteTaskPushNotificationConfig": push.delete,
    "GetExtendedAgentCard": operations.no_extended_card,
}
_STREAMED: dict[str, Callable[[Params, Ask, Desk, Framing], Awaitable[Stream | Replay]]] = {
    "SendStreamingMessage": operations.stream,
    "SubscribeToTask": operations.subscribe,
}


async def act(ask: Ask, desk: Desk) -> Answer:
    """Answer one request. What is wrong with it is said in HTTP's 200, as JSON-RPC does; what forbids it is not."""
    rpc_id: json_rpc.Id = None
    try:
        asked = json_rpc.read(ask.body)
        rpc_id = asked.id
        if not asked.is_request:
            raise json_rpc.RpcError(json_rpc.INVALID_REQUEST, "A request has a method and an id.")
        if asked.method in legacy.METHODS:
            method = legacy.METHODS[asked.method]
            params = legacy.params_of(method, asked.params)
            return await _answer(method, params, ask, desk, Framing(rpc_id, legacy=True))
        check_version(ask)
        return await _answer(asked.method, asked.params, ask, desk, Framing(rpc_id))
    except AgentRunError as error:
        known = errors.known(error)
        if known is None:
            raise
        return Reply(body=json_rpc.failure(rpc_id, known))


async def _answer(method: str, params: Params, ask: Ask, desk: Desk, framing: Framing) -> Answer:
    if method in _STREAMED:
        return await _STREAMED[method](params, ask, desk, framing)
    if method not in _WHOLE:
        methods = ", ".join([*_WHOLE, *_STREAMED])
        raise json_rpc.RpcError(
            json_rpc.METHOD_NOT_FOUND, f"There is no method {method!r}. There are: {methods}."
        )
    found = await _WHOLE[method](params, ask, desk)
    return Reply(body=json_rpc.result(framing.rpc_id, legacy.response_of(found) if framing.legacy else found))


def check_version(ask: Ask) -> None:
    """Refuse what is not 1.x; who says nothing is taken to speak it."""
    version = ask.headers.get("a2a-version") or ask.query.get("A2A-Version") or "1.0"
    if version.partition(".")[0] != "1":
        raise A2AError(errors.VERSION, f"This agent speaks A2A 1.0, not {version}.")
