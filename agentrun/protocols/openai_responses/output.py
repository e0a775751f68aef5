"""Output: the items of one answer, as the Events of its Run make them."""

from __future__ import annotations

from typing import Any, NamedTuple

import msgspec

from agentrun.events import InputRequired, PartEnded, PartStarted, Usage
from agentrun.messages import AgentRequest
from agentrun.protocols.openai_responses.ids import item_id
from agentrun.protocols.tokens import Tokens, tokens_of
from agentrun.utils.json import dumps
from agentrun.utils.sse import one_line

SERVER_LABEL = "agentrun"  # the server that runs the agent's own tools, as clients see it


class Form(NamedTuple):
    """What items of one kind are made of."""

    type: str
    prefix: str  # of their ids
    field: str  # where the text of one stands
    stem: str = ""  # of the names of the events about this text
    part: str = ""  # what the text is a part of: stem of the events about that
    place: str = ""  # which part, in events


TEXT = Form("message", "msg", "text", "response.output_text", "response.content_part", "content_index")
REFUSAL = Form("message", "msg", "refusal", "response.refusal", "response.content_part", "content_index")
REASONING = Form(
    "reasoning", "rs", "text", "response.reasoning_summary_text", "response.reasoning_summary_part", "summary_index",
)  # fmt: skip
FUNCTION = Form("function_call", "fc", "arguments", "response.function_call_arguments")
CUSTOM = Form("custom_tool_call", "ctc", "input", "response.custom_tool_call_input")
OWN_TOOL = Form("mcp_call", "mcp", "arguments", "response.mcp_call_arguments")
RESULT = Form("function_call_output", "fco", "output")
QUESTION = Form("mcp_approval_request", "mcpr", "arguments")
_SAID = {"text": TEXT, "refusal": REFUSAL, "reasoning": REASONING}


class Item:
    """One item as it grows."""

    __slots__ = (
        "_json", "call_id", "failed", "form", "head", "id", "index", "more", "name", "output", "pieces", "status", "tail",
    )  # fmt: skip

    def __init__(self, form: Form, id: str, index: int, name: str, call_id: str) -> None:
        self.form = form
        self.id = id
        self.index = index
        self.name = name
        self.call_id = call_id
        self.status = "in_progress"
        self.pieces: list[str] = []
        self._json: msgspec.Raw | None = None
        self.output: str | None = None  # of a tool that the agent ran
        self.failed = False
        self.more: dict[str, Any] = {}
        self.head = b""  # of the frames of its text
        self.tail = b""

    @property
    def text(self) -> str:
        return "".join(self.pieces)

    def close(self) -> None:
        """All of its text is there, and will be sent several times."""
        self.pieces = [self.text]
        self._json = msgspec.Raw(one_line(dumps(self.pieces[0])))

    @property
    def json(self) -> str | msgspec.Raw:
        """The text, to be encoded, or encoded already."""
        return self.text if self._json is None else self._json

    def part(self, text: str | msgspec.Raw) -> dict[str, Any]:
        """What the text stands in, where it stands in something."""
        if self.form is TEXT:
            return {"type": "output_text", "text": text, "annotations": [], "logprobs": []}
        return {"type": "refusal" if self.form is REFUSAL else "summary_text", self.form.field: text}

    def shown(self) -> dict[str, Any]:
        """The item, as far as it has come."""
        form, item = self.form, {"id": self.id, "type": self.form.type}
        parts = [] if self.status == "in_progress" and not self.pieces else [self.part(self.json)]
        if form is REASONING:
            return {**item, "summary": parts}
        if form.part:
            return {**item, "status": self.status, "role": "assistant", "content": parts}
        if form is FUNCTION or form is CUSTOM:
            said = {"call_id": self.call_id, "name": self.name, form.field: self.json}
            return {**item, "status": self.status, **said}
        if form is RESULT:
            return {**item, "status": self.status, "call_id": self.call_id, "output": self.json}
        said = {"name": self.name, "server_label": SERVER_LABEL, form.field: self.json}
        if form is QUESTION:
            return {**item, **said, **self.more}
        return {**item, "status": "failed" if self.failed else self.status, **said, **self._outcome()}

    def _outcome(self) -> dict[str, Any]:
        """What a tool that the agent ran gave; an error is one as MCP has it."""
        if not self.failed:
            return {"output": self.output, "error": None, "approval_request_id": None}
        content = [{"type": "text", "text": self.output or ""}]
        error = {"type": "mcp_tool_execution_error", "content": content}
        return {"output": None, "error": error, "approval_request_id": None}


class Output:
    """All items. What is told of a part gives the item that it is about."""

    def __init__(self, run_id: str, request: AgentRequest) -> None:
        self._run_id = run_id
        self._request = request
        self._custom = {tool.name for tool in request.tools if tool.type == "custom"}
        self._questions: set[str] = set()
        self._usage: Usage | None = None
        self.items: list[Item] = []
        self.open: dict[str, Item] = {}  # by the id of their part
        self._waiting: list[Item] = []  # calls that the agent runs

    def started(self, event: PartStarted) -> Item | None:
        """A part begins; of a tool's output there is nothing to show yet."""
        name, call_id = event.name or "", event.call_id or ""
        if event.kind == "tool_result":
            id = item_id(RESULT.prefix, self._run_id, event.id)
            self.open[event.id] = Item(RESULT, id, -1, name, call_id)
            return None
        item = self._add(self._form_of(event), event.id, name, call_id)
        self.open[event.id] = item
        if item.form is OWN_TOOL:
            self._waiting.append(item)
        return item

    def ended(self, event: PartEnded) -> Item:
        """A part has ended: its item, or of a tool's output the call that is complete now."""
        item = self.open.pop(event.id)
        item.close()
        if item.form is RESULT:
            return self._answered(item, event)
        if item.form is not OWN_TOOL:
            item.status = "incomplete" if event.failed else "completed"
        return item

    def asked(self, event: InputRequired) -> Item:
        """A human has to decide, of a call or else of something that is said in words."""
        name = event.id or event.call_id or "input"
        if name in self._questions:
            name = f"{name}_{len(self._questions)}"
        self._questions.add(name)
        call = self._waiting_for(event.call_id)
        question = self._add(QUESTION, name, call.name if call else "input", "")
        asked: dict[str, Any] = {"prompt": event.prompt}
        if event.schema is not None:
            asked["schema"] = event.schema
        question.pieces.append(call.text if call else dumps(asked).decode())
        question.more = asked
        question.status = "completed"
        return question

    def counted(self, usage: Usage) -> None:
        """The agent counted tokens."""
        self._usage = usage if self._usage is None else self._usage + usage

    def close(self, *, well: bool) -> list[Item]:
        """The Run has ended: the calls whose result was never told."""
        left, self._waiting = self._waiting, []
        for item in left:
            item.status = "completed" if well else "incomplete"
        return left

    @property
    def tokens(self) -> Tokens:
        said = "".join(item.text for item in self.items if item.form not in (RESULT, QUESTION, OWN_TOOL))
        return tokens_of(self._request, self._usage, said)

    def _form_of(self, event: PartStarted) -> Form:
        if event.kind in _SAID:
            return _SAID[event.kind]
        if event.origin == "agent":
            return OWN_TOOL
        return CUSTOM if event.name in self._custom else FUNCTION

    def _add(self, form: Form, part: str, name: str, call_id: str) -> Item:
        id = item_id(form.prefix, self._run_id, part)
        item = Item(form, id, len(self.items), name, call_id)
        self.items.append(item)
        return item

    def _answered(self, result: Item, event: PartEnded) -> Item:
        call = self._waiting_for(result.call_id)
        status = "incomplete" if event.failed else "completed"
        if call is None:
            result.index, result.status = len(self.items), status
            self.items.append(result)
            return result
        self._waiting.remove(call)
        call.output, call.failed, call.status = result.text, event.failed, "completed"
        return call

    def _waiting_for(self, call_id: str | None) -> Item | None:
        return next((item for item in reversed(self._waiting) if item.call_id == call_id), None)
