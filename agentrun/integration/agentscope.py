# pyright: strict
"""AgentScope: models by name, and an Agent as it is.

from agentrun.integration.agentscope import model

AgentRunServer(invoke_agent=Agent("helper", "Be brief.", model("my-model"))).start()
"""

from __future__ import annotations

import copy
from collections.abc import AsyncIterator, Iterator, Sequence
from typing import Any, cast

from agentrun import tools
from agentrun.agent import Callback
from agentrun.errors import MissingExtra
from agentrun.events import Custom, InputRequired, Loose, PartDelta, PartEnded, PartStarted, Usage, reasoning
from agentrun.integration.media import media_of, refused
from agentrun.integration.named import named
from agentrun.integration.sandboxes import TemplateType, sandbox_tools
from agentrun.integration.waiting import Waiting
from agentrun.messages import AgentRequest, Audio, File, Image, Message, Role, Text
from agentrun.models import Model
from agentrun.models.model import UNUSED_KEY
from agentrun.run.answers import Answers
from agentrun.tools import Tool, Toolset
from agentrun.tools.calling import called_as
from agentrun.utils.config import Config

try:
    from agentscope.agent import Agent
    from agentscope.credential import OpenAICredential
    from agentscope.event import ConfirmResult, RequireUserConfirmEvent, UserConfirmResultEvent
    from agentscope.message import Base64Source, DataBlock, Msg, TextBlock, URLSource
    from agentscope.model import OpenAIChatModel
    from agentscope.permission import PermissionBehavior, PermissionDecision
    from agentscope.state import AgentState
    from agentscope.tool import FunctionTool, ToolChunk
except ImportError as error:
    raise MissingExtra("AgentScope", "agentscope") from error


_TAKEN = ("image/", "audio/wav", "audio/mp3", "audio/mpeg", "application/pdf")


def model(
    name: str | Model | None = None, *, model: str | None = None, config: Config | None = None, **options: Any
) -> OpenAIChatModel:
    """The model of this name; `model` asks for another of the same provider. Options are those of OpenAIChatModel."""
    found = named(name, model, config)
    credential = OpenAICredential(api_key=cast("Any", UNUSED_KEY), base_url=found.base_url)
    options = {"max_retries": 0, **options}
    known = OpenAIChatModel(credential, found.id, **options)
    known.client = found.async_client
    return known


def toolset(name: str | Toolset, **options: Any) -> list[FunctionTool]:
    """The tools of this name; options are those of `agentrun.tools.toolset`."""
    return [_tool(tool) for tool in tools.toolset(name, **options)]


def knowledgebase_toolset(knowledge_base_names: str | Sequence[str], **options: Any) -> list[FunctionTool]:
    """The tools of these names, such as folders to search; options are those of `agentrun.tools.toolset`."""
    return toolset(tools.knowledge(knowledge_base_names, **options))


def sandbox_toolset(template_name: str, **options: Any) -> list[FunctionTool]:
    """The tools of a sandbox made from this template; options are those of `integration.sandboxes.sandbox_tools`."""
    return toolset(sandbox_tools(template_name, **options))


def _tool(tool: Tool) -> FunctionTool:
    async def call(**arguments: Any) -> ToolChunk:
        with called_as(tool.name):
            return ToolChunk(content=[TextBlock(text=await tool.tell(arguments))])

    return FunctionTool(
        call,
        name=tool.name,
        description=tool.description,
        input_schema=tool.parameters,
        permission=PermissionDecision(
            behavior=PermissionBehavior.ALLOW, message="It was configured by name."
        ),
    )


def adapt(agent: object) -> Callback | None:
    """A callback that runs an Agent; each Run has a state of its own, for many share the agent."""
    if not isinstance(agent, Agent):
        return None

    waiting = Waiting("agentscope")

    async def invoke_agent(request: AgentRequest) -> AsyncIterator[Loose]:
        paused = await waiting.take(request)
        known = _fresh(agent, request.session_id)
        if paused is None:
            given: Any = [said for message in request.messages for said in _messages(message)]
        else:
            known.state = _resumed(paused["state"], known)
            given = _confirmed(RequireUserConfirmEvent.model_validate_json(paused["asked"]), Answers(request))
        async for event in known.reply_stream(given):
            if isinstance(event, RequireUserConfirmEvent):
                paused = {"state": known.state.model_dump_json(), "asked": event.model_dump_json()}
                await waiting.keep(request, paused)
            for loose in _read(event):
                yield loose

    return invoke_agent


def _resumed(kept: str, fresh: Agent) -> AgentState:
    """The state in which an agent asked whether it may call tools; what it may do is what it may do now."""
    state = AgentState.model_validate_json(kept)
    state.permission_context = fresh.state.permission_context
    return state


def _confirmed(asked: RequireUserConfirmEvent, answers: Answers) -> UserConfirmResultEvent:
    results = [
        ConfirmResult(confirmed=answers.decision(call.id).approved, tool_call=call)
        for call in asked.tool_calls
    ]
    return UserConfirmResultEvent(reply_id=asked.reply_id, confirm_results=results)


def _fresh(agent: Agent, session_id: str | None) -> Agent:
    """The agent with an empty state, but for what it may do."""
    fresh = copy.copy(agent)
    permissions = agent.state.permission_context.model_copy(deep=True)
    session: Any = {"session_id": session_id} if session_id else {}
    fresh.state = AgentState(permission_context=permissions, **session)
    engine: Any = cast("Any", agent)._engine
    cast("Any", fresh)._engine = type(engine)(permissions)
    return fresh


def _read(event: Any) -> Iterator[Loose]:
    match event.type.value:
        case "TEXT_BLOCK_DELTA":
            yield event.delta
        case "THINKING_BLOCK_DELTA":
            yield reasoning(event.delta)
        case "TOOL_CALL_START":
            yield PartStarted(
                kind="tool_call", name=event.tool_call_name, call_id=event.tool_call_id, origin="agent"
            )
        case "TOOL_CALL_DELTA":
            yield PartDelta(event.delta, "tool_call", call_id=event.tool_call_id)
        case "TOOL_CALL_END":
            yield PartEnded(kind="tool_call", call_id=event.tool_call_id)
        case "TOOL_RESULT_START":
            yield PartStarted(kind="tool_result", call_id=event.tool_call_id)
        case "TOOL_RESULT_TEXT_DELTA":
            yield PartDelta(event.delta, "tool_result", call_id=event.tool_call_id)
        case "TOOL_RESULT_END":
            failed = str(event.state) != "success"
            yield PartEnded(kind="tool_result", call_id=event.tool_call_id, failed=failed)
        case "REQUIRE_USER_CONFIRM":
            for call in event.tool_calls:
                yield InputRequired(f"May {call.name} be called?", call_id=call.id)
        case "MODEL_CALL_END":
            yield Usage(event.input_tokens, event.output_tokens)
        case "CUSTOM":
            yield Custom(event.name, event.value)
        case "REPLY_END" if event.error is not None:
            raise RuntimeError(event.error.message)
        case _:
            pass


def _messages(message: Message) -> Iterator[Msg]:
    """What AgentScope takes in: the user's and the assistant's words, instructions of the client as the former."""
    if message.role is Role.ASSISTANT:
        if message.text:
            yield Msg(name="assistant", role="assistant", content=[TextBlock(text=message.text)])
    elif message.role is not Role.TOOL:
        yield Msg(name=message.name or "user", role="user", content=_blocks(message))


def _blocks(message: Message) -> list[Any]:
    if not isinstance(message.content, list):
        return [TextBlock(text=message.text)]
    blocks: list[Any] = []
    for part in message.content:
        match part:
            case Text(text):
                blocks.append(TextBlock(text=text))
            case Image() | Audio() | File():
                blocks.append(_shown(part))
            case _:
                pass
    return blocks


def _shown(part: Image | Audio | File) -> DataBlock:
    """It leaves out what it does not know, and would fetch files from wherever their address is."""
    media = media_of(part)
    if media.data and media.media_type.startswith(_TAKEN):
        return DataBlock(source=Base64Source(data=media.data, media_type=media.media_type), name=media.name)
    if media.url and isinstance(part, Image):
        return DataBlock(source=URLSource(url=cast("Any", media.url), media_type=media.media_type))
    raise refused(media, "AgentScope", "images, and the bytes of WAV and MP3 audio and of PDF files")


__all__ = ["TemplateType", "adapt", "knowledgebase_toolset", "model", "sandbox_toolset", "toolset"]
