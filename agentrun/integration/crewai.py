# pyright: strict
"""CrewAI: models by name, and a Crew as it is.

from agentrun.integration.crewai import model

AgentRunServer(invoke_agent=Crew(agents=[Agent(llm=model("my-model"), ...)], tasks=[...])).start()
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, cast

import msgspec
from pydantic import PrivateAttr

from agentrun import tools
from agentrun.agent import Callback
from agentrun.errors import MissingExtra
from agentrun.events import Loose, PartDelta, PartEnded, PartStarted, Usage, reasoning, tool_call, tool_result
from agentrun.integration.media import media_of, refused
from agentrun.integration.named import named
from agentrun.integration.sandboxes import TemplateType, sandbox_tools
from agentrun.integration.speakers import Speakers
from agentrun.messages import AgentRequest, Audio, File, Image, Message, Role
from agentrun.models import Model
from agentrun.models.model import UNUSED_KEY
from agentrun.tools import Tool, Toolset
from agentrun.tools.calling import called_as
from agentrun.utils import ids
from agentrun.utils.config import Config

try:
    from crewai import Crew
    from crewai.core.providers.human_input import set_provider
    from crewai.events.stream_context import add_stream_sink, reset_stream_sinks
    from crewai.tools import BaseTool
    from crewai.utilities import pydantic_schema_utils

    from agentrun.integration.crewai_feedback import Feedback
    from agentrun.integration.crewai_llm import Thinking, left, shown
except ImportError as error:
    raise MissingExtra("CrewAI", "crewai") from error

if not TYPE_CHECKING:  # which would then take any name for one of ours
    from agentrun.integration.elsewhere import __getattr__ as __getattr__


def model(
    name: str | Model | None = None, *, model: str | None = None, config: Config | None = None, **options: Any
) -> Thinking:
    """The model of this name; `model` asks for another of the same provider. Options are those of CrewAI's LLM."""
    found = named(name, model, config)
    given: dict[str, Any] = {
        "model": found.id,
        "base_url": found.base_url,
        "api_key": UNUSED_KEY,
        "provider": "openai",
        "stream": True,
        **options,
    }
    return Thinking.of(found, given)


def toolset(name: str | Toolset, **options: Any) -> list[BaseTool]:
    """The tools of this name; options are those of `agentrun.tools.toolset`."""
    return [_Tool.of(tool) for tool in tools.toolset(name, **options)]


tool_resource = toolset  # the original has both


def knowledgebase_toolset(knowledge_base_names: str | Sequence[str], **options: Any) -> list[BaseTool]:
    """The tools of these names, such as folders to search; options are those of `agentrun.tools.toolset`."""
    return toolset(tools.knowledge(knowledge_base_names, **options))


def sandbox_toolset(template_name: str, **options: Any) -> list[BaseTool]:
    """The tools of a sandbox made from this template; options are those of `integration.sandboxes.sandbox_tools`."""
    return toolset(sandbox_tools(template_name, **options))


class _Tool(BaseTool):
    """Only what the model gave is passed on: a default of the schema is the tool's own business."""

    _known: Tool = PrivateAttr()

    @classmethod
    def of(cls, tool: Tool) -> _Tool:
        made = cls(name=tool.name, description=tool.description, args_schema=_arguments(tool))
        made._known = tool
        return made

    def _run(self, **arguments: Any) -> str:
        given = {name: value for name, value in arguments.items() if value is not None}
        with called_as(self.name):
            return self._known.tell_sync(given)


def _arguments(tool: Tool) -> Any:
    return cast("Any", pydantic_schema_utils).create_model_from_schema(
        {"title": tool.name, **tool.parameters}
    )


def adapt(crew: object) -> Callback | None:
    """A callback that kicks a copy of the crew off. What the user says fills the placeholders of its tasks."""
    if not isinstance(crew, Crew):
        return None

    async def invoke_agent(request: AgentRequest) -> AsyncIterator[Loose]:
        known: Any = crew.copy()
        reading = _Reading()
        events: asyncio.Queue[Any] = asyncio.Queue()
        leaving = threading.Event()
        feedback = Feedback(request, reading.answered)
        run = asyncio.ensure_future(_kick_off(known, request, events, leaving, feedback))
        try:
            while (event := await events.get()) is not None:
                for loose in reading.read(event):
                    yield loose
            result = await run
        finally:
            leaving.set()
            run.cancel()
        for loose in reading.rest(result):
            yield loose

    return invoke_agent


async def _kick_off(
    crew: Any, request: AgentRequest, events: asyncio.Queue[Any], leaving: threading.Event, feedback: Feedback
) -> Any:
    """Events come from threads as well; only those of this context are of this Run."""
    left.set(leaving)
    loop = asyncio.get_running_loop()

    def sink(_: Any, event: Any) -> None:
        loop.call_soon_threadsafe(events.put_nowait, event)

    crew.stream = False  # its own stream has no results of tools
    token = add_stream_sink(sink)
    try:
        shown.set(_shown(crew, request))
        set_provider(feedback)
        return await crew.akickoff(inputs=_inputs(crew, request))
    finally:
        reset_stream_sinks(token)
        loop.call_soon_threadsafe(events.put_nowait, None)


def _inputs(crew: Any, request: AgentRequest) -> dict[str, str]:
    """What the placeholders of the tasks stand for; a crew without any is told the conversation with its first task."""
    names: set[str] = crew.fetch_inputs()
    if not names and crew.tasks:
        names = {"question"}
        if len(request.messages) > 1:
            names.add("history")
            crew.tasks[0].description += "\n\nThe conversation so far:\n{history}"
        crew.tasks[0].description += "\n\nThe user says: {question}"
    history = "\n".join(f"{message.role.value}: {message.text}" for message in request.messages[:-1])
    whole = f"{history}\n{Role.USER.value}: {request.text}".strip()
    told = {"history": history, "chat_history": history, "messages": whole, "conversation": whole}
    return {name: told.get(name, request.text) for name in names}


def _shown(crew: Any, request: AgentRequest) -> list[dict[str, Any]]:
    """What was shown in the conversation. Only our own models pass it on."""
    parts: list[dict[str, Any]] = []
    for message in request.messages:
        if not isinstance(message.content, list):
            continue
        kept = [part for part in message.content if isinstance(part, Image | Audio | File)]
        for part in kept:
            media = media_of(part)
            if not all(isinstance(agent.llm, Thinking) for agent in crew.agents):
                raise refused(media, "CrewAI", "only text, unless the models of its agents are agentrun's")
        parts += Message(message.role, list(kept)).to_openai()["content"]
    return parts


class _Reading:
    """Results name their tool, not their call: they belong to the oldest call of it that has none."""

    def __init__(self) -> None:
        self.said = False
        self._open: list[tuple[str, str]] = []
        self._seen: set[str] = set()
        self._calls: dict[str, list[str]] = {}  # of each turn of a model that goes on
        self._speakers = Speakers()
        self._turn: str | None = None  # in which a model spoke last
        self._latest: list[str] = []  # its text

    def answered(self) -> None:
        """A human has; what was said before belongs to the Run that asked."""
        self.said = False

    def read(self, event: Any) -> Iterator[Loose]:
        match event.type:
            case "llm_stream_chunk" if event.tool_call is not None:
                yield from self._say(event, self._call(event))
            case "llm_stream_chunk" if event.chunk:
                yield from self._words(event)
            case "llm_thinking_chunk" if event.chunk:
                yield from self._say(event, (reasoning(event.chunk),))
            case "llm_call_completed" | "llm_call_failed":
                yield from self._ended(event.call_id)
                used = cast("dict[str, int]", getattr(event, "usage", None) or {})
                if used:
                    yield Usage(used.get("prompt_tokens", 0), used.get("completion_tokens", 0))
            case "tool_usage_started":
                yield from self._unannounced(event)
            case "tool_usage_finished":
                yield from self._result(event, _text(event.output))
            case "tool_usage_error":
                yield from self._result(event, str(event.error), failed=True)
            case _:
                pass

    def rest(self, result: Any) -> Iterator[Loose]:
        """What was not streamed of a crew's result: all of it, or what was made of the last text afterwards."""
        yield from self._speakers.rest()
        made = result.json_dict or (result.pydantic and result.pydantic.model_dump(mode="json"))
        if not self.said:
            yield str(result.raw)
        elif made and _json_in("".join(self._latest)) != made:
            yield PartEnded(kind="text")
            yield _text(made)

    def _say(self, event: Any, events: Iterable[Loose]) -> Iterable[Loose]:
        return self._speakers.say(event.call_id, events, event.agent_role)

    def _words(self, event: Any) -> Iterable[Loose]:
        self.said = True
        if event.call_id != self._turn:
            self._turn = event.call_id
            self._latest.clear()
        self._latest.append(event.chunk)
        return self._say(event, (event.chunk,))

    def _ended(self, turn: str) -> Iterator[Loose]:
        calls = self._calls.pop(turn, ())
        yield from self._speakers.say(turn, [PartEnded(kind="tool_call", call_id=call) for call in calls])
        yield from self._speakers.done(turn)

    def _result(self, event: Any, output: str, *, failed: bool = False) -> Iterable[Loose]:
        call_id = self._close(event.tool_name)
        return self._speakers.result(call_id, tool_result(call_id, output, failed=failed))

    def _call(self, event: Any) -> Iterator[Loose]:
        call = event.tool_call
        if call.id not in self._seen:
            self._seen.add(call.id)
            self._open.append((call.function.name, call.id))
            self._calls.setdefault(event.call_id, []).append(call.id)
            yield PartStarted(kind="tool_call", name=call.function.name, call_id=call.id, origin="agent")
        if event.chunk:
            yield PartDelta(event.chunk, "tool_call", call_id=call.id)

    def _unannounced(self, event: Any) -> Iterator[Loose]:
        """Agents whose model calls no tools itself write their calls as text."""
        if all(name != event.tool_name for name, _ in self._open):
            call_id = ids.new("call_")
            self._open.append((event.tool_name, call_id))
            yield from tool_call(event.tool_name, _text(event.tool_args), call_id=call_id, origin="agent")

    def _close(self, tool: str) -> str:
        for position, (name, call_id) in enumerate(self._open):
            if name == tool:
                del self._open[position]
                return call_id
        return ids.new("call_")


def _json_in(text: str) -> object:
    """The object in a text, as a crew would find it there."""
    try:
        return msgspec.json.decode(text[text.find("{") : text.rfind("}") + 1])
    except msgspec.DecodeError:
        return None


def _text(value: Any) -> str:
    return value if isinstance(value, str) else msgspec.json.encode(value, enc_hook=str).decode()


__all__ = [
    "TemplateType",
    "adapt",
    "knowledgebase_toolset",
    "model",
    "sandbox_toolset",
    "tool_resource",
    "toolset",
]
