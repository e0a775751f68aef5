"""A call of the tool: one Run, or several where a human is asked between them."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from typing import Any

import msgspec

from agentrun.events import AnyEvent, InputRequired, PartDelta, RunFailed, Usage
from agentrun.messages import AgentRequest, Message, Role
from agentrun.protocols import json_rpc
from agentrun.protocols.json_rpc import INVALID_PARAMS, Id, RpcError, RpcMessage
from agentrun.protocols.mcp import words
from agentrun.protocols.mcp.progress import Progress
from agentrun.protocols.mcp.sessions import Session
from agentrun.protocols.mcp.words import Fields
from agentrun.protocols.protocol import Desk, Start
from agentrun.run import Run
from agentrun.sessions import Turn
from agentrun.utils.json import dumps

_TEXT = ("text", "refusal")
_MOST_QUESTIONS = 32  # in one call


class Caller(msgspec.Struct):
    """Who calls: its headers, and how it can be asked something."""

    headers: Mapping[str, str]
    modern: bool
    session: Session | None = None
    can_elicit: bool = False


class Call:
    """One `tools/call`. `begin` may raise what is an error of HTTP; `messages` are what the client is sent."""

    def __init__(
        self, message: RpcMessage, caller: Caller, bots: Mapping[str, str | None], desk: Desk
    ) -> None:
        self._id: Id = message.id
        self._params = message.params
        self._caller = caller
        self._start: Start = desk.start
        self._desk = desk
        token: object = words.fields_of(message.params.get("_meta")).get("progressToken")
        self._progress = None if token is None else Progress(token)
        self._before: list[Run | Turn] = []  # the Runs of this call that ended with a question
        name = message.params.get("name")
        if not isinstance(name, str) or name not in bots:
            raise RpcError(INVALID_PARAMS, f"Unknown tool: {name!r}. There is: {', '.join(bots)}.")
        self._bot_id = bots[name]

    async def begin(self, owner: str) -> Run | Fields:
        """The first Run, or the answer to arguments that are none."""
        arguments = words.fields_of(self._params.get("arguments"))
        text, conversation = arguments.get("message"), arguments.get("conversation")
        if not isinstance(text, str) or not isinstance(conversation, (str, type(None))):
            return words.called("The argument message is missing, or not a text.", failed=True)
        answered = self._params.get("requestState")
        if self._caller.modern and isinstance(answered, str):
            return await self._start(await self._resumed(answered, owner))
        return await self._start(self._request(Message(Role.USER, text), conversation or None))

    async def messages(self, run: Run) -> AsyncGenerator[bytes]:
        """Progress, questions, and at last the answer. Closing it leaves the Run as a client's going does."""
        while True:
            async with aclosing(self._followed(run)) as notes:
                async for note in notes:
                    yield note
            events = run.log.since(0)
            asked = [event for event in events if isinstance(event, InputRequired)]
            if not asked or run.status != "completed":
                yield self._last(self._result(run, events))
                return
            if self._caller.modern and self._caller.can_elicit:
                yield self._last(words.input_required(asked, self._state(run)))
                return
            session = self._caller.session
            if session is None or not session.can_elicit:
                yield self._last(_unanswerable(run, events, asked))
                return
            answers: dict[str, Any] = {}
            for key, one in words.keyed(asked).items():
                question, answer = session.ask()
                try:
                    yield dumps(words.request(question, "elicitation/create", words.elicitation(one)))
                    answers[key] = await answer
                finally:
                    session.asked.pop(question, None)
            self._before.append(run)
            run = await self._start(self._answered(run.id, asked, answers))

    async def _followed(self, run: Run) -> AsyncGenerator[bytes]:
        run.readers += 1
        session, index = self._caller.session, 0
        if session is not None:
            session.runs[self._id] = run
        try:
            while True:
                batch = run.log.since(index)
                index = run.read_to()
                if self._progress is not None and (told := self._progress.tell(batch)):
                    yield told
                if run.ended and index == len(run.log):
                    return
                if not batch:
                    await run.changed()
        finally:
            if session is not None:
                session.runs.pop(self._id, None)
            run.leave()

    def _last(self, result: Fields) -> bytes:
        return json_rpc.result(self._id, result)

    def _state(self, run: Run) -> str:
        """What a modern client has to send back: the ids of the call's Runs, which tell only their owner anything."""
        return ",".join(one.id for one in (*self._before, run))

    async def _resumed(self, state: str, owner: str) -> AgentRequest:
        for run_id in state.split(",", _MOST_QUESTIONS)[:_MOST_QUESTIONS]:
            turn = await self._desk.conversations.find(run_id, owner)
            if turn is None or turn.request.protocol != "mcp":
                raise RpcError(INVALID_PARAMS, "This requestState is not known here.")
            self._before.append(turn)
        turn = self._before[-1]
        asked = [event for event in _events_of(turn) if isinstance(event, InputRequired)]
        return self._answered(turn.id, asked, words.fields_of(self._params.get("inputResponses")))

    def _result(self, run: Run, events: Sequence[AnyEvent]) -> Fields:
        before = "".join(_text(_events_of(one)) for one in self._before)
        return _result(run, before + _text(events), events)

    def _answered(
        self, run_id: str, asked: Sequence[InputRequired], answers: Mapping[str, Any]
    ) -> AgentRequest:
        """What a human said: for the execution that waits, and as the next message of the conversation."""
        values = {key: _value(one, answers.get(key)) for key, one in words.keyed(asked).items()}
        text = "\n".join("declined" if value is None else _as_text(value) for value in values.values())
        request = self._request(Message(Role.USER, text), None)
        request.continues, request.answers = run_id, values
        return request

    def _request(self, message: Message, conversation: str | None) -> AgentRequest:
        return AgentRequest(
            messages=[message],
            stream=True,
            session_id=conversation,
            new_only=True,
            kept=self._caller.can_elicit or conversation is not None,
            user_id=self._caller.headers.get("x-user-id"),
            bot_id=self._bot_id,
            headers=self._caller.headers,
            extra={name: value for name, value in self._params.items() if name in ("arguments", "_meta")},
            protocol="mcp",
        )


def _value(asked: InputRequired, answer: Any) -> Any:
    """A human's answer; None if they gave none."""
    fields = words.fields_of(answer)
    if fields.get("action") != "accept":
        return None
    return words.answer_of(asked.schema, words.fields_of(fields.get("content")))


def _as_text(value: Any) -> str:
    return value if isinstance(value, str) else dumps(value).decode()


def _text(events: Sequence[AnyEvent]) -> str:
    return "".join(event.text for event in events if isinstance(event, PartDelta) and event.kind in _TEXT)


def _events_of(run: Run | Turn) -> Sequence[AnyEvent]:
    return run.events if isinstance(run, Turn) else run.log.since(0)


def _result(run: Run, text: str, events: Sequence[AnyEvent]) -> Fields:
    usage = None
    for event in events:
        if isinstance(event, Usage):
            usage = event if usage is None else usage + event
    counted = {"input_tokens": usage.input_tokens, "output_tokens": usage.output_tokens} if usage else None
    if isinstance(run.ending, RunFailed):
        text = f"{text}\n{run.ending.message}" if text else run.ending.message
    elif run.status == "cancelled":
        text = f"{text}\nThe agent was stopped." if text else "The agent was stopped."
    return words.called(text, failed=run.status != "completed", run_id=run.id, usage=counted)


def _unanswerable(run: Run, events: Sequence[AnyEvent], asked: Sequence[InputRequired]) -> Fields:
    """The question as text: this client cannot ask a human itself."""
    lines = [_text(events), *(one.prompt for one in asked)]
    return words.called("\n".join(line for line in lines if line), run_id=run.id)
