# pyright: strict
"""AgentScope: models by name, and an Agent as it is.

from agentrun.integration.agentscope import model

AgentRunServer(invoke_agent=Agent("helper", "Be brief.", model("my-model"))).start()
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Sequence
from typing import TYPE_CHECKING, Any, cast

import msgspec

from agentrun import tools
from agentrun.agent import Callback
from agentrun.errors import MissingExtra
from agentrun.events import Custom, InputRequired, Loose, PartDelta, PartEnded, PartStarted, Usage, reasoning
from agentrun.integration.media import media_of, refused
from agentrun.integration.named import named
from agentrun.integration.sandboxes import TemplateType, sandbox_tools
from agentrun.integration.speakers import Speakers
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
    from agentscope.pipeline import TeamPipeline
    from agentscope.tool import FunctionTool, ToolChunk

    from agentrun.integration.agentscope_runs import Served, agents_of, fresh, resume, state_of
except ImportError as error:
    raise MissingExtra("AgentScope", "agentscope") from error

if not TYPE_CHECKING:  # which would then take any name for one of ours
    from agentrun.integration.elsewhere import __getattr__ as __getattr__


_ANSWER = "GenerateStructuredOutput"  # what a structured answer is called with
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


tool_resource = toolset  # the original has both


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
    """A callback that runs an Agent, or a TeamPipeline of several; each Run has states of its own, for many share them."""
    if not isinstance(agent, (Agent, TeamPipeline)):
        return None

    waiting = Waiting("agentscope")

    async def invoke_agent(request: AgentRequest) -> AsyncIterator[Loose]:
        paused = await waiting.take(request)
        known = fresh(agent, request.session_id)
        if paused is None:
            given: list[Any] = [[said for message in request.messages for said in _messages(message)]]
        else:
            resume(known, paused["states"])
            given = [_confirmed(asked, Answers(request)) for asked in paused["asked"]]
        reading = _Reading(known)
        for inputs in given:
            async for event in _stream(known, inputs):
                for loose in reading.read(event):
                    yield loose
        for loose in reading.rest():
            yield loose
        if reading.asked:
            await waiting.keep(request, {"states": state_of(known), "asked": reading.asked})

    return invoke_agent


def _stream(known: Served, inputs: Any) -> AsyncIterator[Any]:
    """A team has no message at the end, which has a structured answer."""
    if isinstance(known, Agent):
        return known.reply_stream(inputs, yield_final_msg=True)
    return known.reply_stream(inputs)


def _confirmed(asked: str, answers: Answers) -> UserConfirmResultEvent:
    event = RequireUserConfirmEvent.model_validate_json(asked)
    results = [
        ConfirmResult(confirmed=answers.decision(call.id).approved, tool_call=call)
        for call in event.tool_calls
    ]
    return UserConfirmResultEvent(reply_id=event.reply_id, confirm_results=results)


class _Reading:
    """What the agents say, each in a reply of its own."""

    def __init__(self, known: Served) -> None:
        agents = agents_of(known)
        self._first = agents[0].name
        self._names = {agent.state.reply_id: agent.name for agent in agents}  # of replies that go on
        self._speakers = Speakers()
        self._answers: set[str] = set()  # calls that are none: what they are called with is said at the end
        self.asked: list[str] = []

    def read(self, event: Any) -> Iterator[Loose]:
        if isinstance(event, Msg):
            answer: Any = cast("Any", event).structured_output
            if answer is not None:
                yield msgspec.json.encode(answer).decode()
            return
        match event.type.value:
            case "TOOL_CALL_START" if event.tool_call_name == _ANSWER:
                self._answers.add(event.tool_call_id)
            case _ if getattr(event, "tool_call_id", None) in self._answers:
                pass
            case "REPLY_START":
                self._names[event.reply_id] = event.name
            case "MODEL_CALL_END":
                yield from self._speakers.done(event.reply_id)
                yield Usage(event.input_tokens, event.output_tokens)
            case "REQUIRE_USER_CONFIRM":
                self.asked.append(event.model_dump_json())
                for call in event.tool_calls:
                    yield InputRequired(f"May {call.name} be called?", call_id=call.id)
            case "REPLY_END":
                yield from self._speakers.done(event.reply_id)
                if event.error is not None and self._names.get(event.reply_id) == self._first:
                    raise RuntimeError(event.error.message)
            case "CUSTOM":
                yield Custom(event.name, event.value)
            case kind if kind.startswith("TOOL_RESULT"):
                yield from self._speakers.result(event.tool_call_id, _result(event))
            case _:
                yield from self._speakers.say(event.reply_id, _said(event), self._names.get(event.reply_id))

    def rest(self) -> Iterator[Loose]:
        """What somebody said who did not come to an end."""
        return self._speakers.rest()


def _said(event: Any) -> Iterator[Loose]:
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
        case _:
            pass


def _result(event: Any) -> Iterator[Loose]:
    match event.type.value:
        case "TOOL_RESULT_START":
            yield PartStarted(kind="tool_result", call_id=event.tool_call_id)
        case "TOOL_RESULT_TEXT_DELTA":
            yield PartDelta(event.delta, "tool_result", call_id=event.tool_call_id)
        case "TOOL_RESULT_END":
            failed = str(event.state) != "success"
            yield PartEnded(kind="tool_result", call_id=event.tool_call_id, failed=failed)
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


__all__ = [
    "TemplateType",
    "adapt",
    "knowledgebase_toolset",
    "model",
    "sandbox_toolset",
    "tool_resource",
    "toolset",
]
