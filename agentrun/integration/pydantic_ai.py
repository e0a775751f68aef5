"""Pydantic AI: models by name, and an Agent as it is.

from agentrun.integration.pydantic_ai import model

AgentRunServer(invoke_agent=Agent(model("my-model"))).start()
"""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator, Iterator, Sequence
from typing import TYPE_CHECKING, Any, cast

import msgspec

from agentrun import tools
from agentrun.agent import Callback
from agentrun.errors import MissingExtra
from agentrun.events import InputRequired, Loose, PartDelta, PartStarted, Usage, reasoning, tool_result
from agentrun.integration.media import media_of
from agentrun.integration.named import named
from agentrun.integration.sandboxes import TemplateType, sandbox_tools
from agentrun.integration.waiting import Waiting
from agentrun.messages import AgentRequest, Audio, File, Image, Message, Role, Text
from agentrun.models import Model
from agentrun.run.answers import Answers
from agentrun.tools import Tool, Toolset
from agentrun.tools.calling import called_as
from agentrun.utils.config import Config

try:
    from pydantic_ai import (
        Agent,
        BinaryContent,
        DeferredToolRequests,
        DeferredToolResults,
        DocumentUrl,
        ImageUrl,
        RunContext,
        ToolDenied,
    )
    from pydantic_ai import Tool as AgentTool
    from pydantic_ai.messages import (
        ModelMessage,
        ModelMessagesTypeAdapter,
        ModelRequest,
        ModelResponse,
        SystemPromptPart,
        TextPart,
        ToolCallPart,
        ToolReturnPart,
        UserPromptPart,
    )
    from pydantic_ai.models.openai import OpenAIChatModel
    from pydantic_ai.providers.openai import OpenAIProvider
except ImportError as error:
    raise MissingExtra("Pydantic AI", "pydantic-ai") from error

if not TYPE_CHECKING:  # which would then take any name for one of ours
    from agentrun.integration.elsewhere import __getattr__ as __getattr__


def model(
    name: str | Model | None = None, *, model: str | None = None, config: Config | None = None, **options: Any
) -> OpenAIChatModel:
    """The model of this name; `model` asks for another of the same provider. Options are those of OpenAIChatModel."""
    found = named(name, model, config)
    return OpenAIChatModel(found.id, provider=OpenAIProvider(openai_client=found.async_client), **options)


def toolset(name: str | Toolset, **options: Any) -> list[AgentTool[Any]]:
    """The tools of this name; options are those of `agentrun.tools.toolset`."""
    return [_tool(tool) for tool in tools.toolset(name, **options)]


tool_resource = toolset  # the original has both


def knowledgebase_toolset(knowledge_base_names: str | Sequence[str], **options: Any) -> list[AgentTool[Any]]:
    """The tools of these names, such as folders to search; options are those of `agentrun.tools.toolset`."""
    return toolset(tools.knowledge(knowledge_base_names, **options))


def sandbox_toolset(template_name: str, **options: Any) -> list[AgentTool[Any]]:
    """The tools of a sandbox made from this template; options are those of `integration.sandboxes.sandbox_tools`."""
    return toolset(sandbox_tools(template_name, **options))


def _tool(tool: Tool) -> AgentTool[Any]:
    async def call(context: RunContext[Any], **arguments: Any) -> str:
        with called_as(tool.name, context.tool_call_id):
            return await tool.tell(arguments)

    kind: Any = AgentTool
    return kind.from_schema(call, tool.name, tool.description, tool.parameters, takes_ctx=True)


def adapt(agent: object) -> Callback | None:
    """A callback that runs an Agent; one whose `deps_type` is AgentRequest gets the request."""
    if not isinstance(agent, Agent):
        return None
    known = cast("Agent[Any, Any]", agent)

    waiting = Waiting("pydantic_ai")

    async def invoke_agent(request: AgentRequest) -> AsyncIterator[Loose]:
        paused = await waiting.take(request)
        given = _conversation(request) if paused is None else _resumed(paused, Answers(request))
        deps = request if known.deps_type is AgentRequest else None
        reading = _Reading()
        async with known.run_stream_events(deps=deps, **given) as events:
            async for event in events:
                for loose in reading.read(event):
                    yield loose
                if event.event_kind == "agent_run_result" and isinstance(
                    event.result.output, DeferredToolRequests
                ):
                    await waiting.keep(request, _paused(event.result))

    return invoke_agent


def _paused(result: Any) -> dict[str, Any]:
    """A run that ended with calls that somebody else has to approve, or to make."""
    asked: DeferredToolRequests = result.output
    return {
        "messages": result.all_messages_json().decode(),
        "approvals": [call.tool_call_id for call in asked.approvals],
        "calls": [call.tool_call_id for call in asked.calls],
    }


def _conversation(request: AgentRequest) -> dict[str, Any]:
    *history, last = [part for message in request.messages for part in _messages(message)]
    if isinstance(last, ModelRequest) and isinstance(last.parts[-1], UserPromptPart):
        return {"user_prompt": last.parts[-1].content, "message_history": history}
    return {"message_history": [*history, last]}


def _resumed(paused: dict[str, Any], answers: Answers) -> dict[str, Any]:
    results = DeferredToolResults()
    for call_id in paused["approvals"]:
        decision = answers.decision(call_id)
        denied = ToolDenied(decision.message) if decision.message else ToolDenied()
        results.approvals[call_id] = decision.approved or denied
    for call_id in paused["calls"]:
        results.calls[call_id] = answers.to(call_id)
    history = ModelMessagesTypeAdapter.validate_json(paused["messages"])
    return {"message_history": history, "deferred_tool_results": results}


class _Reading:
    """A structured answer comes as a call of a tool that is none: it is held back until that is known."""

    def __init__(self) -> None:
        self._calls: dict[int, str] = {}
        self._answers: set[str] = set()
        self._held: PartStarted | None = None
        self._beginning = ""
        self._spoken = False  # the answer is what was said last, JSON or not

    def read(self, event: Any) -> Iterator[Loose]:
        kind = event.event_kind
        if kind == "final_result":
            self._spoken = event.tool_call_id is None
            if event.tool_call_id is not None:
                self._answers.add(event.tool_call_id)
                self._held = None
            return
        if self._held is not None:
            held, self._held = self._held, None
            yield held
            if self._beginning:
                yield PartDelta(self._beginning, "tool_call", call_id=held.call_id)
        match kind:
            case "part_start":
                yield from self._started(event.index, event.part)
            case "part_delta":
                yield from self._delta(event.index, event.delta)
            case "function_tool_result":
                part = event.part
                failed = part.part_kind == "retry-prompt" or getattr(part, "outcome", "success") != "success"
                yield from tool_result(part.tool_call_id, _text(part.content), failed=failed)
            case "agent_run_result":
                yield from _result(event.result, spoken=self._spoken)
            case _:
                pass

    def _started(self, index: int, part: Any) -> Iterator[Loose]:
        match part.part_kind:
            case "text":
                yield part.content
            case "thinking":
                yield reasoning(part.content)
            case "tool-call":
                self._calls[index] = part.tool_call_id
                self._held = PartStarted(
                    kind="tool_call", name=part.tool_name, call_id=part.tool_call_id, origin="agent"
                )
                self._beginning = _text(part.args) if part.args else ""
            case _:
                pass

    def _delta(self, index: int, delta: Any) -> Iterator[Loose]:
        match delta.part_delta_kind:
            case "text":
                yield delta.content_delta
            case "thinking" if delta.content_delta:
                yield reasoning(delta.content_delta)
            case "tool_call" if delta.args_delta and self._calls.get(index) not in self._answers:
                yield PartDelta(_text(delta.args_delta), "tool_call", call_id=self._calls.get(index))
            case _:
                pass


def _result(result: Any, *, spoken: bool) -> Iterator[Loose]:
    output = result.output
    if isinstance(output, DeferredToolRequests):
        for call in output.approvals:
            yield InputRequired(f"May {call.tool_name} be called?", call_id=call.tool_call_id)
        for call in output.calls:
            yield InputRequired(f"What does {call.tool_name} give?", call_id=call.tool_call_id)
    elif not spoken and not isinstance(output, str) and output is not None:
        yield _text(output)
    used = result.usage
    yield Usage(used.input_tokens, used.output_tokens)


def _text(value: Any) -> str:
    if isinstance(value, str):
        return value
    dump = getattr(value, "model_dump_json", None)
    return msgspec.json.encode(value, enc_hook=str).decode() if dump is None else cast("str", dump())


def _messages(message: Message) -> Iterator[ModelMessage]:
    match message.role:
        case Role.ASSISTANT:
            parts: list[Any] = [TextPart(message.text)] if message.text else []
            parts += [ToolCallPart(call.name, call.arguments, call.id) for call in message.tool_calls or ()]
            yield ModelResponse(parts)
        case Role.TOOL:
            name, call_id = message.name or "tool", message.tool_call_id or ""
            yield ModelRequest([ToolReturnPart(name, message.text, call_id)])
        case Role.SYSTEM | Role.DEVELOPER:
            yield ModelRequest([SystemPromptPart(message.text)])
        case _:
            yield ModelRequest([UserPromptPart(_content(message))])


def _content(message: Message) -> str | list[Any]:
    if not isinstance(message.content, list):
        return message.text
    content: list[Any] = []
    for part in message.content:
        match part:
            case Text(text):
                content.append(text)
            case Image() | Audio() | File():
                content.append(_shown(part))
            case _:
                pass
    return content


def _shown(part: Image | Audio | File) -> Any:
    media = media_of(part)
    more: Any = (
        {"vendor_metadata": {"detail": part.detail}} if isinstance(part, Image) and part.detail else {}
    )
    if media.data:
        return BinaryContent(base64.b64decode(media.data), media_type=media.media_type, **more)
    return ImageUrl(media.url, **more) if isinstance(part, Image) else DocumentUrl(media.url)


__all__ = [
    "TemplateType",
    "adapt",
    "knowledgebase_toolset",
    "model",
    "sandbox_toolset",
    "tool_resource",
    "toolset",
]
