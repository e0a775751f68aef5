# pyright: strict
"""Google's Agent Development Kit: models by name, and an agent as it is.

from agentrun.integration.google_adk import model

AgentRunServer(invoke_agent=LlmAgent(name="helper", model=model("my-model"))).start()
"""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias, cast

import msgspec

from agentrun import tools
from agentrun.agent import Callback
from agentrun.errors import MissingExtra
from agentrun.events import InputRequired, Loose, RunFailed, Usage, reasoning, tool_call, tool_result
from agentrun.integration.media import media_of
from agentrun.integration.named import named
from agentrun.integration.sandboxes import TemplateType, sandbox_tools
from agentrun.integration.speakers import Speakers
from agentrun.integration.waiting import Waiting
from agentrun.messages import AgentRequest, Audio, File, Image, Message, Role, Text
from agentrun.models import Model
from agentrun.run.answers import Answers, decide
from agentrun.tools import Tool, Toolset
from agentrun.tools.calling import called_as
from agentrun.utils import ids
from agentrun.utils.config import Config

try:
    from google.adk.agents import BaseAgent
    from google.adk.agents.run_config import RunConfig, StreamingMode  # pyright: ignore[reportPrivateImportUsage]
    from google.adk.events import Event
    from google.adk.runners import Runner
    from google.adk.sessions import InMemorySessionService, Session
    from google.adk.tools import BaseTool, ToolContext
    from google.genai import types
except ImportError as error:
    raise MissingExtra("Google ADK", "google-adk") from error

if not TYPE_CHECKING:  # which would then take any name for one of ours
    from agentrun.integration.elsewhere import __getattr__ as __getattr__

if TYPE_CHECKING:
    from agentrun.integration.google_adk_llm import Llm

_APP = "agentrun"
_CONFIRMATION = "adk_request_confirmation"
_ANSWER = "set_model_response"  # what a structured answer is called with where there are tools; then it is said as text
_NO_TOOLS = (_CONFIRMATION, _ANSWER)
_Turn: TypeAlias = tuple[str, "str | None"]  # an agent, and which of those that run at the same time


def model(name: str | Model | None = None, *, model: str | None = None, config: Config | None = None) -> Llm:
    """The model of this name; `model` asks for another of the same provider."""
    from agentrun.integration.google_adk_llm import Llm

    return Llm.of(named(name, model, config))


def toolset(name: str | Toolset, **options: Any) -> list[BaseTool]:
    """The tools of this name; options are those of `agentrun.tools.toolset`."""
    return [_Tool(tool) for tool in tools.toolset(name, **options)]


tool_resource = toolset  # the original has both


def knowledgebase_toolset(knowledge_base_names: str | Sequence[str], **options: Any) -> list[BaseTool]:
    """The tools of these names, such as folders to search; options are those of `agentrun.tools.toolset`."""
    return toolset(tools.knowledge(knowledge_base_names, **options))


def sandbox_toolset(template_name: str, **options: Any) -> list[BaseTool]:
    """The tools of a sandbox made from this template; options are those of `integration.sandboxes.sandbox_tools`."""
    return toolset(sandbox_tools(template_name, **options))


class _Tool(BaseTool):
    def __init__(self, tool: Tool) -> None:
        super().__init__(name=tool.name, description=tool.description)
        self._tool = tool

    def _get_declaration(self) -> types.FunctionDeclaration:
        return types.FunctionDeclaration(
            name=self.name, description=self.description, parameters_json_schema=self._tool.parameters
        )

    async def run_async(self, *, args: dict[str, Any], tool_context: ToolContext) -> str:
        with called_as(self.name, tool_context.function_call_id):
            return await self._tool.tell(args)


def adapt(agent: object) -> Callback | None:
    """A callback that runs an agent of any kind, with its sub-agents."""
    if not isinstance(agent, BaseAgent):
        return None

    waiting = Waiting("google_adk")

    async def invoke_agent(request: AgentRequest) -> AsyncIterator[Loose]:
        paused = await waiting.take(request)
        runner = Runner(app_name=_APP, agent=agent, session_service=InMemorySessionService())
        if paused is None:
            session, message = await _begun(runner, request)
        else:
            session, message = (
                await _resumed(runner, paused),
                _confirmations(paused["asked"], Answers(request)),
            )
        reading = _Reading()
        config = RunConfig(streaming_mode=StreamingMode.SSE)
        stream = runner.run_async(
            user_id=session.user_id, session_id=session.id, new_message=message, run_config=config
        )
        async for event in stream:
            for loose in reading.read(event):
                yield loose
        for loose in reading.rest():
            yield loose
        if reading.asked:
            await waiting.keep(request, {"session": await _kept(runner, session), "asked": reading.asked})

    return invoke_agent


async def _begun(runner: Runner, request: AgentRequest) -> tuple[Session, types.Content]:
    """A session with all of the conversation but its last message, which is to be said."""
    sessions = runner.session_service
    session = await sessions.create_session(app_name=_APP, user_id=request.user_id or "user")
    *history, last = list(_contents(request.messages)) or [types.UserContent("")]
    for content in history:
        author = runner.agent.name if content.role == "model" else "user"
        await sessions.append_event(session, Event(author=author, content=content, invocation_id="history"))
    return session, last


async def _kept(runner: Runner, session: Session) -> str:
    """All that happened in a session, as JSON."""
    known = await runner.session_service.get_session(
        app_name=_APP, user_id=session.user_id, session_id=session.id
    )
    return (known or session).model_dump_json()


async def _resumed(runner: Runner, paused: dict[str, Any]) -> Session:
    """The session that ended with calls to be confirmed."""
    kept = Session.model_validate_json(paused["session"])
    sessions = runner.session_service
    session = await sessions.create_session(
        app_name=_APP, user_id=kept.user_id, session_id=kept.id, state=kept.state
    )
    for event in kept.events:
        await sessions.append_event(session, event)
    return session


def _confirmations(asked: list[str], answers: Answers) -> types.Content:
    parts: list[types.Part] = []
    for question in asked:
        answer = answers.to(question)
        response = {"confirmed": decide(answer).approved, "payload": _payload(answer)}
        function = types.FunctionResponse(id=question, name=_CONFIRMATION, response=response)
        parts.append(types.Part(function_response=function))
    return types.Content(role="user", parts=parts)


def _payload(answer: object) -> object:
    return cast("dict[str, Any]", answer).get("payload") if isinstance(answer, dict) else None


class _Reading:
    """A streamed turn of an agent ends with an event that repeats all of its text."""

    def __init__(self) -> None:
        self._streamed: set[_Turn] = set()
        self._speakers = Speakers()
        self.asked: list[str] = []

    def read(self, event: Event) -> Iterator[Loose]:
        if event.error_code and not event.content:
            yield RunFailed("model_error", event.error_message or event.error_code)
            return
        turn = (event.author, event.branch)
        yield from self._speakers.say(turn, self._said(event, turn), event.author)
        if event.partial:
            self._streamed.add(turn)
            return
        self._streamed.discard(turn)
        yield from self._speakers.done(turn)
        used = event.usage_metadata
        if used is not None:
            yield Usage(used.prompt_token_count or 0, used.candidates_token_count or 0)

    def rest(self) -> Iterator[Loose]:
        """What somebody said who did not come to an end."""
        return self._speakers.rest()

    def _said(self, event: Event, turn: _Turn) -> Iterator[Loose]:
        for part in (event.content.parts if event.content else None) or ():
            if part.text and (event.partial or turn not in self._streamed):
                yield reasoning(part.text) if part.thought else part.text
            if not event.partial:
                yield from self._whole(part, event.actions.requested_tool_confirmations)

    def _whole(self, part: types.Part, unconfirmed: Mapping[str, Any]) -> Iterator[Loose]:
        """A call that is to be confirmed has not been made: what stands for its result until then is none."""
        if (call := part.function_call) is not None:
            arguments = call.args or {}
            call_id = call.id or ids.new("call_")
            if call.name == _CONFIRMATION:
                self.asked.append(call_id)
                yield InputRequired(_question(arguments), call_id=call_id)
            elif call.name != _ANSWER:
                yield from tool_call(call.name or "unknown", arguments, call_id=call_id, origin="agent")
        result = part.function_response
        if result is not None and result.name not in _NO_TOOLS and result.id not in unconfirmed:
            yield from tool_result(result.id or "", _output(result.response))


def _question(arguments: Mapping[str, Any]) -> str:
    confirmation: Mapping[str, Any] = arguments.get("toolConfirmation") or {}
    call: Mapping[str, Any] = arguments.get("originalFunctionCall") or {}
    return confirmation.get("hint") or f"May {call.get('name') or 'the tool'} be called?"


def _output(response: dict[str, Any] | None) -> str:
    """ADK wraps what is no dict: {"result": ...}."""
    value: Any = response
    if response is not None and list(response) == ["result"]:
        value = "" if response["result"] is None else response["result"]
    return value if isinstance(value, str) else msgspec.json.encode(value, enc_hook=str).decode()


def _contents(messages: list[Message]) -> Iterator[types.Content]:
    """The conversation; instructions of the client join what the user says next, for ADK has its own."""
    instructions: list[types.Part] = []
    for message in messages:
        match message.role:
            case Role.SYSTEM | Role.DEVELOPER:
                instructions.append(types.Part(text=message.text))
            case Role.ASSISTANT:
                parts = [types.Part(text=message.text)] if message.text else []
                for call in message.tool_calls or ():
                    arguments: Any = msgspec.json.decode(call.arguments or "{}")
                    function = types.FunctionCall(id=call.id, name=call.name, args=arguments)
                    parts.append(types.Part(function_call=function))
                yield types.Content(role="model", parts=parts)
            case Role.TOOL:
                response = types.FunctionResponse(
                    id=message.tool_call_id, name=message.name or "tool", response={"result": message.text}
                )
                yield types.Content(role="user", parts=[types.Part(function_response=response)])
            case _:
                yield types.Content(role="user", parts=[*instructions, *_parts(message)])
                instructions = []


def _parts(message: Message) -> Iterator[types.Part]:
    if not isinstance(message.content, list):
        yield types.Part(text=message.text)
        return
    for part in message.content:
        match part:
            case Text(text):
                yield types.Part(text=text)
            case Image() | Audio() | File():
                yield _shown(part)
            case _:
                pass


def _shown(part: Image | Audio | File) -> types.Part:
    kind, data, url, name = media_of(part)
    if data:
        blob = types.Blob(mime_type=kind, data=base64.b64decode(data), display_name=name)
        return types.Part(inline_data=blob)
    return types.Part(file_data=types.FileData(file_uri=url, mime_type=kind, display_name=name))


__all__ = [
    "TemplateType",
    "adapt",
    "knowledgebase_toolset",
    "model",
    "sandbox_toolset",
    "tool_resource",
    "toolset",
]
