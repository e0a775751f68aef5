"""OpenAI Agents: models by name, and an Agent with its tools and handoffs as it is.

from agentrun.integration.openai_agents import model

AgentRunServer(invoke_agent=Agent(name="helper", model=model("my-model"))).start()
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Sequence
from typing import TYPE_CHECKING, Any, cast

import msgspec

from agentrun import tools
from agentrun.agent import Callback
from agentrun.errors import MissingExtra
from agentrun.events import (
    Custom,
    InputRequired,
    Loose,
    PartDelta,
    PartStarted,
    Usage,
    reasoning,
    refusal,
    tool_result,
)
from agentrun.integration.named import named
from agentrun.integration.sandboxes import TemplateType, sandbox_tools
from agentrun.integration.waiting import Waiting
from agentrun.messages import AgentRequest, Message, Role
from agentrun.models import Model
from agentrun.run.answers import Answers
from agentrun.tools import Tool, Toolset
from agentrun.tools.calling import called_as
from agentrun.utils.config import Config

try:
    from agents import (
        Agent,
        FunctionTool,
        ModelSettings,
        OpenAIChatCompletionsModel,
        RunConfig,
        Runner,
        RunState,
    )
    from agents.tool_context import ToolContext
    from agents.tracing import get_trace_provider
except ImportError as error:
    raise MissingExtra("OpenAI Agents", "openai-agents") from error

if not TYPE_CHECKING:  # which would then take any name for one of ours
    from agentrun.integration.elsewhere import __getattr__ as __getattr__


def model(
    name: str | Model | None = None, *, model: str | None = None, config: Config | None = None
) -> OpenAIChatCompletionsModel:
    """The model of this name; `model` asks for another of the same provider."""
    found = named(name, model, config)
    return OpenAIChatCompletionsModel(model=found.id, openai_client=found.async_client)


def toolset(name: str | Toolset, **options: Any) -> list[FunctionTool]:
    """The tools of this name; options are those of `agentrun.tools.toolset`."""
    return [_tool(tool) for tool in tools.toolset(name, **options)]


tool_resource = toolset  # the original has both


def knowledgebase_toolset(knowledge_base_names: str | Sequence[str], **options: Any) -> list[FunctionTool]:
    """The tools of these names, such as folders to search; options are those of `agentrun.tools.toolset`."""
    return toolset(tools.knowledge(knowledge_base_names, **options))


def sandbox_toolset(template_name: str, **options: Any) -> list[FunctionTool]:
    """The tools of a sandbox made from this template; options are those of `integration.sandboxes.sandbox_tools`."""
    return toolset(sandbox_tools(template_name, **options))


def _tool(tool: Tool) -> FunctionTool:
    async def invoke(context: ToolContext[Any], arguments: str) -> str:
        with called_as(tool.name, context.tool_call_id):
            return await tool.tell(msgspec.json.decode(arguments or "{}", type=dict[str, Any]))

    return FunctionTool(tool.name, tool.description, tool.parameters, invoke, strict_json_schema=False)


def adapt(agent: object) -> Callback | None:
    """A callback that runs an Agent. Its tools find the AgentRequest in their context."""
    if not isinstance(agent, Agent):
        return None
    known = cast("Agent[Any]", agent)

    waiting = Waiting("openai_agents")
    get_trace_provider()  # reads certificates when it is made, for which a Run should not stand still

    async def invoke_agent(request: AgentRequest) -> AsyncIterator[Loose]:
        # other addresses than OpenAI's are not asked for it by default
        config = RunConfig(model_settings=ModelSettings(include_usage=True))
        paused = await waiting.take(request)
        given = _conversation(request) if paused is None else await _answered(known, paused["state"], request)
        result = Runner.run_streamed(known, given, context=request, run_config=config)
        reading = _Reading()
        try:
            async for event in result.stream_events():
                for loose in reading.read(event):
                    yield loose
        finally:
            if not result.is_complete:
                result.cancel()
        for approval in result.interruptions:
            yield InputRequired(f"May {approval.name} be called?", call_id=approval.call_id)
        used = result.context_wrapper.usage
        if result.interruptions:
            state = result.to_state().to_json(context_serializer=_nothing)
            so_far = [used.input_tokens, used.output_tokens]
            await waiting.keep(request, {"state": state, "used": so_far})
        before = [0, 0] if paused is None else paused["used"]  # a state goes on counting
        yield Usage(used.input_tokens - before[0], used.output_tokens - before[1])

    return invoke_agent


def _conversation(request: AgentRequest) -> Any:
    return [item for message in request.messages for item in _items(message)]


def _nothing(_: object) -> dict[str, Any]:
    """Of the context, which is the request: who answers has one of their own."""
    return {}


async def _answered(agent: Agent[Any], kept: dict[str, Any], request: AgentRequest) -> RunState[Any]:
    """The state with the human's answers to what it asked."""
    state: RunState[Any] = await RunState.from_json(agent, kept, context_override=cast("Any", request))
    answers = Answers(request)
    for approval in state.get_interruptions():
        decision = answers.decision(approval.call_id)
        if decision.approved:
            state.approve(approval)
        else:
            state.reject(approval, rejection_message=decision.message or None)
    return state


class _Reading:
    """Arguments come by the place of their call in the model's output."""

    def __init__(self) -> None:
        self._calls: dict[int, str] = {}

    def read(self, event: Any) -> Iterator[Loose]:
        match event.type:
            case "raw_response_event":
                yield from self._raw(event.data)
            case "agent_updated_stream_event":
                yield Custom("agent", event.new_agent.name)
            case _ if event.name in ("tool_output", "handoff_occured"):
                yield from _result(event.item)
            case _:
                pass

    def _raw(self, data: Any) -> Iterator[Loose]:
        match data.type:
            case "response.output_text.delta":
                yield data.delta
            case "response.reasoning_text.delta" | "response.reasoning_summary_text.delta":
                yield reasoning(data.delta)
            case "response.refusal.delta":
                yield refusal(data.delta)
            case "response.output_item.added" if data.item.type == "function_call":
                self._calls[data.output_index] = data.item.call_id
                yield PartStarted(
                    kind="tool_call", name=data.item.name, call_id=data.item.call_id, origin="agent"
                )
            case "response.function_call_arguments.delta":
                yield PartDelta(data.delta, "tool_call", call_id=self._calls.get(data.output_index))
            case _:
                pass


def _result(item: Any) -> list[Any]:
    output = getattr(item, "output", None)
    if output is None:
        output = _field(item.raw_item, "output")
    text = output if isinstance(output, str) else msgspec.json.encode(output, enc_hook=str).decode()
    return tool_result(str(_field(item.raw_item, "call_id")), text)


def _field(item: Any, name: str) -> Any:
    return cast("dict[str, Any]", item).get(name) if isinstance(item, dict) else getattr(item, name, None)


def _items(message: Message) -> Iterator[dict[str, Any]]:
    """A message as the Responses API has it."""
    if message.role is Role.TOOL:
        yield {"type": "function_call_output", "call_id": message.tool_call_id, "output": message.text}
        return
    fields = message.to_openai()
    content = fields["content"]
    if isinstance(content, list) and message.role is not Role.ASSISTANT:
        content = [_part(part) for part in cast("list[dict[str, Any]]", content)]
    elif message.role is Role.ASSISTANT:
        content = message.text
    if content:
        yield {"role": message.role.value, "content": content}
    for call in message.tool_calls or ():
        yield {"type": "function_call", "call_id": call.id, "name": call.name, "arguments": call.arguments}


def _part(part: dict[str, Any]) -> dict[str, Any]:
    match part["type"]:
        case "text":
            return {"type": "input_text", "text": part["text"]}
        case "image_url":
            image = part["image_url"]
            return {"type": "input_image", "image_url": image["url"], "detail": image.get("detail") or "auto"}
        case "file":
            return {"type": "input_file", **_file(part["file"])}
        case _:
            return part


def _file(file: dict[str, Any]) -> dict[str, Any]:
    """The Responses API has a place of its own for an address."""
    data = file.get("file_data") or ""
    return {"file_url": data} if data.startswith(("http://", "https://")) else file


__all__ = [
    "TemplateType",
    "adapt",
    "knowledgebase_toolset",
    "model",
    "sandbox_toolset",
    "tool_resource",
    "toolset",
]
