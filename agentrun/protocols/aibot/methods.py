"""BotMethods: what a bot can do beside answering. Override what yours does otherwise, or what has no default."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Sequence
from typing import Any, cast

from msgspec import structs

from agentrun.errors import AgentRunError, NotFound, RequestError, RunTimeout
from agentrun.events import PartDelta, RunFailed
from agentrun.messages import AgentRequest, Message, Role
from agentrun.protocols.aibot import words
from agentrun.protocols.aibot.call import BotCall
from agentrun.protocols.aibot.errors import NotProvided
from agentrun.protocols.aibot.feedback import Filter
from agentrun.protocols.aibot.records import iso, records_of, run_id_of
from agentrun.sessions import Note
from agentrun.utils import ids

DEFAULT_TITLE = "New conversation"
_LONGEST_TITLE = 40
_CONVERSATION, _FEEDBACK = "aibot.conversation", "aibot.feedback"


class BotMethods:
    """One method for each optional route, with the names of Tencent's agent framework.

    Each gets a BotCall and gives what is answered as JSON. Overridden ones may be sync or async; they run off the server's
    loop. Without a default, and not overridden, the route answers 501.
    """

    # --- the bot

    async def get_bot_info(self, call: BotCall) -> Any:
        name = call.bot_id.split("-")[1]
        return words.BotInfo(bot_id=call.bot_id, name=name, model=call.bot_id)

    async def get_recommend_questions(self, call: BotCall) -> Any:
        """A list of questions, or an async iterator of pieces of text, with a line for each question."""
        raise NotProvided("This bot recommends no questions.")

    # --- conversations

    async def create_conversation(self, call: BotCall) -> Any:
        title = call.read(words.NewConversation).title or DEFAULT_TITLE
        conversation_id = ids.new("conversation-")
        await _put_conversation(call, conversation_id, title)
        return words.CreatedConversation(conversation_id, title)

    async def get_conversation(self, call: BotCall) -> Any:
        limit, offset = call.number("limit", 10, 1, 100), call.number("offset", 0)
        store = call.desk.conversations.store
        heard = {each.session_id: each.updated for each in await store.sessions(call.scope, 1000)}
        found = [
            words.Conversation(
                conversation_id=note.session_id,
                title=str(note.body),
                create_time=iso(note.created),
                update_time=iso(max(note.created, heard.get(note.session_id, 0.0))),
            )
            for note in await store.notes(call.scope, _CONVERSATION)
        ]
        found.sort(key=lambda one: one.update_time, reverse=True)
        return words.Conversations(found[offset : offset + limit], len(found))

    async def update_conversation(self, call: BotCall) -> Any:
        title = call.read(words.Title).title
        if not title.strip():
            raise RequestError("title is empty.", param="title", code="invalid_value")
        known = await _conversation(call, call.path["conversation_id"])
        if known is not None:
            await call.desk.conversations.store.put(structs.replace(known, body=title))
        return words.Count(int(known is not None))

    async def delete_conversation(self, call: BotCall) -> Any:
        store, session_id = call.desk.conversations.store, call.path["conversation_id"]
        known = await store.delete_notes(call.scope, _CONVERSATION, session_id)
        turns = await store.delete_session(call.scope, session_id)
        return words.Count(int(bool(known or turns)))

    # --- records and feedback

    async def get_chat_records(self, call: BotCall) -> Any:
        sort = call.query.get("sort", "desc")
        if sort not in ("asc", "desc"):
            raise RequestError(f"sort is {sort!r}; it has to be asc or desc.", param="sort")
        page = call.page()
        session_id = call.session_of(call.query.get("conversationId"))
        if session_id is None:
            return words.Records([], 0)
        turns = await call.desk.conversations.store.session(call.scope, session_id)
        rows = records_of(turns, call.query.get("conversationId") or call.user_id or "")
        return words.Records((rows if sort == "asc" else rows[::-1])[page], len(rows))

    async def send_feedback(self, call: BotCall) -> Any:
        given = call.read(words.Feedback)
        run_id = run_id_of(given.record_id)
        turn = await call.desk.conversations.find(run_id, call.owner)
        if turn is None or turn.scope != call.scope:
            raise NotFound(f"There is no record {given.record_id!r}.", param="recordId")
        now = time.time()
        kept = structs.replace(given, bot_id=call.bot_id, sender=call.user_id or "", create_time=iso(now))
        note = Note(
            kind=_FEEDBACK,
            id=given.record_id,
            scope=call.scope,
            session_id=turn.session_id,
            created=now,
            body=kept,
        )
        await call.desk.conversations.store.put(note)
        return words.Done()

    async def get_feedback(self, call: BotCall) -> Any:
        page = call.page()
        wanted = Filter(call)
        notes = await call.desk.conversations.store.notes(call.scope, _FEEDBACK)
        found = [note.body for note in notes if wanted.has(note)][::-1]
        return {"feedbackList": found[page], "total": len(found)}

    # --- WeChat

    async def wx_send_message(self, call: BotCall) -> Any:
        """Answers a text of WeChat, and a voice message if `speech_to_text` is there, with the agent's whole answer."""
        data = call.read(words.WeChatCall).callback_data
        text = data.Content if data.MsgType == "text" else await self._heard(call, data)
        request = AgentRequest(
            messages=[Message(Role.USER, text)],
            session_id="wechat",
            user_id=f"wechat-{data.FromUserName}",
            bot_id=call.bot_id,
            new_only=True,
            headers=call.headers,
            extra={"triggerSrc": call.body.get("triggerSrc")},
            protocol="aibot",
        )
        run = await call.desk.start(request)
        run.on_disconnect = "continue"
        while not run.ended:
            await run.changed()
        if isinstance(run.ending, RunFailed):
            kind = RunTimeout if run.ending.code == "timeout" else AgentRunError
            raise run.error or kind(run.ending.message, code=run.ending.code)
        said = [
            event.text for event in run.log.since(0) if isinstance(event, PartDelta) and event.kind == "text"
        ]
        return words.WeChatReply(data.FromUserName, data.ToUserName, int(time.time()), "text", "".join(said))

    async def _heard(self, call: BotCall, data: words.WeChatData) -> str:
        if data.MsgType != "voice":
            raise NotProvided(f"This bot reads no messages of the type {data.MsgType!r}.")
        heard: Any = await self.speech_to_text(call)
        return str(cast("dict[str, Any]", heard)["Result"] if isinstance(heard, dict) else heard.Result)

    # --- speech

    async def speech_to_text(self, call: BotCall) -> Any:
        """`{"Result": text}`."""
        raise NotProvided("This bot does not hear.")

    async def text_to_speech(self, call: BotCall) -> Any:
        """`{"TaskId": id}`."""
        raise NotProvided("This bot does not speak.")

    async def get_text_to_speech_result(self, call: BotCall) -> Any:
        """`{"TaskId", "Status", "StatusStr", "ResultUrl"}`."""
        raise NotProvided("This bot does not speak.")


async def name_conversation(call: BotCall, conversation_id: str, said: str) -> None:
    """A conversation is called by the first thing that is said in it, until somebody calls it otherwise."""
    known = await _conversation(call, conversation_id)
    if known is None or known.body == DEFAULT_TITLE:
        title = " ".join(said.split())[:_LONGEST_TITLE] or DEFAULT_TITLE
        await _put_conversation(call, conversation_id, title, known)


async def _conversation(call: BotCall, conversation_id: str) -> Note | None:
    found = await call.desk.conversations.store.notes(call.scope, _CONVERSATION, conversation_id)
    return found[0] if found else None


async def _put_conversation(
    call: BotCall, conversation_id: str, title: str, known: Note | None = None
) -> None:
    note = Note(
        kind=_CONVERSATION,
        id=conversation_id,
        scope=call.scope,
        session_id=conversation_id,
        created=known.created if known else time.time(),
        body=title,
    )
    await call.desk.conversations.store.put(note)


async def pieces_of(given: Any) -> AsyncIterator[str]:
    """Recommended questions as they come, or each on a line of its own."""
    if isinstance(given, (list, tuple)):
        yield "\n".join(map(str, cast("Sequence[object]", given)))
    else:
        async for piece in given:
            yield str(piece)
