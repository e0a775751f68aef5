"""LangGraph: a compiled graph as an agent, with its tools, sub-graphs, interrupts and threads.

AgentRunServer(invoke_agent=create_agent(model("my-model"), tools=[...])).start()
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, cast

import msgspec
from pydantic import BaseModel

from agentrun.agent import Callback
from agentrun.errors import MissingExtra
from agentrun.events import Custom, Event, InputRequired
from agentrun.integration.langchain import (
    AgentRunConverter,
    TemplateType,
    knowledgebase_toolset,
    model,
    sandbox_toolset,
    tool_resource,
    toolset,
)
from agentrun.integration.speakers import Speakers
from agentrun.messages import AgentRequest, Message, Role
from agentrun.run.answers import Answers, decide
from agentrun.utils import ids

try:
    from langchain_core.messages import (
        AIMessage,
        AIMessageChunk,
        BaseMessage,
        ToolMessage,
        convert_to_messages,
    )
    from langgraph.pregel import Pregel  # pyright: ignore[reportMissingTypeStubs]
    from langgraph.types import Command, Interrupt

    from agentrun.integration.langchain_messages import Messages
    from agentrun.integration.langchain_values import as_text
except ImportError as error:
    raise MissingExtra("LangGraph", "langgraph") from error

if not TYPE_CHECKING:  # which would then take any name for one of ours
    from agentrun.integration.elsewhere import __getattr__ as __getattr__

_MODES = ("messages", "updates", "custom")
_INTERRUPT = "__interrupt__"
_QUESTIONS = ("input", "question", "query", "text", "prompt", "topic")
_ANSWERS = ("output", "answer", "response", "result", "text")


def adapt(graph: object) -> Callback | None:
    """A callback that streams a compiled graph."""
    if not isinstance(graph, Pregel):
        return None
    known = cast("Pregel[Any, Any, Any, Any]", graph)

    async def invoke_agent(request: AgentRequest) -> AsyncIterator[object]:
        reading = _Reading()
        async for namespace, mode, payload in _stream(known, request):
            match mode:
                case "messages":
                    for event in reading.message(payload[0], payload[1], namespace):
                        yield event
                case "updates":
                    for event in reading.update(payload, outermost=not namespace):
                        yield event
                case _:
                    yield payload if isinstance(payload, Event) else Custom("langgraph", payload)
        for event in reading.rest():
            yield event

    return invoke_agent


async def _stream(
    graph: Pregel[Any, Any, Any, Any], request: AgentRequest
) -> AsyncIterator[tuple[Any, str, Any]]:
    thread = request.session_id or ids.new("thread_")
    config: Any = {"configurable": {"thread_id": thread}}
    given = await _input(graph, request, config)
    stream = graph.astream(given, config, stream_mode=list(_MODES), subgraphs=True)  # pyright: ignore[reportUnknownMemberType]
    async for item in stream:
        yield cast("tuple[Any, str, Any]", item)


async def _input(graph: Pregel[Any, Any, Any, Any], request: AgentRequest, config: Any) -> object:
    """The conversation; on a thread the graph remembers, what is new in it, or the answer to its question."""
    messages = request.messages
    remembers = cast("Any", graph).checkpointer is not None
    if remembers and request.session_id is not None:
        state = await graph.aget_state(config)
        if state.interrupts:
            return Command(resume=_resume(state.interrupts, request))
        if state.values:
            messages = _new(messages)
    conversation = [message.to_openai() for message in messages]
    fields = _input_fields(graph)
    if not fields or "messages" in fields:
        return {"messages": conversation}
    return {name: request.text for name in fields if name in _QUESTIONS} or {fields[0]: request.text}


def _input_fields(graph: object) -> list[str]:
    """The names a graph's input has; a graph of the functional API tells none."""
    builder: Any = getattr(graph, "builder", None)
    return [] if builder is None else list(builder.schemas[builder.input_schema])


def _new(messages: list[Message]) -> list[Message]:
    """What came after the assistant last spoke."""
    for position in range(len(messages) - 1, -1, -1):
        if messages[position].role is Role.ASSISTANT:
            return messages[position + 1 :]
    return messages


def _resume(interrupts: Sequence[Interrupt], request: AgentRequest) -> object:
    """What the human decided, in the shape that asked for it."""
    answers = Answers(request)
    if len(interrupts) == 1:
        return _answer(interrupts[0], answers)
    return {interrupt.id: _answer(interrupt, answers) for interrupt in interrupts}


def _answer(interrupt: Interrupt, answers: Answers) -> object:
    """What LangChain's middleware asks is answered with decisions, anything else as it was said."""
    answer, actions = answers.to(interrupt.id), _actions(interrupt.value)
    if not actions or _decided(answer):
        return answer
    decision = decide(answer)
    decided = {"type": "approve"} if decision.approved else {"type": "reject", "message": decision.message}
    return {"decisions": [decided for _ in actions]}


def _decided(answer: object) -> bool:
    return isinstance(answer, dict) and "decisions" in answer


def _actions(value: object) -> list[Mapping[str, Any]]:
    """The calls that LangChain's human-in-the-loop middleware asks about."""
    return cast("Mapping[str, Any]", value).get("action_requests") or [] if isinstance(value, dict) else []


class _Reading:
    """What a stream has said so far."""

    def __init__(self) -> None:
        self._messages = Messages()
        self._speakers = Speakers()
        self._asked: set[str] = set()
        self._latest: Mapping[str, Any] = {}
        self._spoke: str | None = None  # the node that spoke last
        self._structured: object = None

    def message(
        self, message: BaseMessage, about: Mapping[str, Any], namespace: Sequence[str]
    ) -> Iterable[object]:
        """What a message says, or a piece of one."""
        events = self._messages.read(message)
        if isinstance(message, ToolMessage):
            return self._speakers.result(message.tool_call_id, events)
        if not events:
            return self._ended(message)
        self._spoke = about.get("langgraph_node")
        heard = self._speakers.say(message.id, events, _agent(about, namespace))
        return [*heard, *self._ended(message)]

    def _ended(self, message: BaseMessage) -> Iterable[object]:
        if isinstance(message, AIMessageChunk) and message.chunk_position != "last":
            return ()
        last = self._speakers.say(message.id, self._messages.ended(message))
        return [*last, *self._speakers.done(message.id)]

    def update(self, payload: Mapping[str, Any], *, outermost: bool) -> Iterator[object]:
        """The questions in an update; they come from the inner graph and from each one around it."""
        for interrupt in cast("Sequence[Interrupt]", payload.get(_INTERRUPT) or ()):
            if interrupt.id not in self._asked:
                self._asked.add(interrupt.id)
                yield InputRequired(_prompt(interrupt.value), interrupt.id, schema=_schema(interrupt.value))
        if outermost and _INTERRUPT not in payload:
            self._latest = payload
            for node, changed in payload.items():
                self._keep_structured(node, _fields(changed))

    def _keep_structured(self, node: str, changed: Mapping[str, Any]) -> None:
        """What `response_format` brings is the answer. A model that wrote it has said it already; one that called it has not."""
        structured, messages = changed.get("structured_response"), changed.get("messages")
        wrote = cast("list[Any]", messages if isinstance(messages, list) else [messages])
        last = wrote[-1] if wrote else None
        if isinstance(last, AIMessage) if last else node == self._spoke:
            self._structured = None
        elif structured is not None:
            self._structured = structured

    def rest(self) -> Iterator[object]:
        """What is left to be said at the end."""
        yield from self._speakers.rest()
        left = self._left() if self._structured is None else self._structured
        if left is not None:
            yield as_text(left)

    def _left(self) -> object:
        """The answer of a graph that does not stream it: it keeps it elsewhere than in messages, or writes these short."""
        if self._messages.said:
            return None
        for update in self._latest.values():
            if isinstance(update, str):
                return update
            fields = _fields(update)
            found = [
                fields[name] for name in _ANSWERS if isinstance(fields.get(name), (str, BaseModel, dict))
            ]
            found = found or _written(fields.get("messages"))
            found = found or [value for value in fields.values() if isinstance(value, str)]
            if found:
                return found[0]
        return None


def _agent(about: Mapping[str, Any], namespace: Sequence[str]) -> str | None:
    """Who speaks: an agent with a name, or the node that a sub-graph stands in."""
    name = about.get("lc_agent_name")
    return name if name or not namespace else namespace[-1].partition(":")[0]


def _fields(update: object) -> Mapping[str, Any]:
    return cast("Mapping[str, Any]", update) if isinstance(update, dict) else {}


def _written(messages: object) -> list[str]:
    """What the last message says. One that is written as `("ai", text)` becomes a message without being streamed."""
    if not messages:
        return []
    given = cast("list[Any]", messages if isinstance(messages, list) else [messages])
    last = convert_to_messages(given)[-1]
    return [last.content] if isinstance(last, AIMessage) and isinstance(last.content, str) else []


def _prompt(value: object) -> str:
    if isinstance(value, str):
        return value
    if actions := _actions(value):
        return "\n".join(str(action.get("description") or action.get("name")) for action in actions)
    if isinstance(value, dict):
        fields = cast("Mapping[str, Any]", value)
        for name in ("prompt", "question", "message", "description"):
            if isinstance(fields.get(name), str):
                return fields[name]
    return msgspec.json.encode(value, enc_hook=str).decode()


def _schema(value: object) -> dict[str, Any] | None:
    """What is asked about, for a client that can show more than the prompt."""
    return cast("dict[str, Any]", value) if isinstance(value, dict) else None


__all__ = [
    "AgentRunConverter",
    "TemplateType",
    "adapt",
    "knowledgebase_toolset",
    "model",
    "sandbox_toolset",
    "tool_resource",
    "toolset",
]
