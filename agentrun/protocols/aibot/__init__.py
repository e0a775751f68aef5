"""aibot: the protocol of Tencent's agent framework, `/v1/aibot/bots/{botId}/...`."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Sequence
from typing import Any

import msgspec
from msgspec import structs

from agentrun.config import Settings
from agentrun.errors import AgentRunError, RequestError
from agentrun.messages import AgentRequest
from agentrun.protocols.aibot import errors, words
from agentrun.protocols.aibot.asking import request_of
from agentrun.protocols.aibot.call import BotCall, call_of
from agentrun.protocols.aibot.encoder import AIBotEncoder
from agentrun.protocols.aibot.methods import BotMethods, name_conversation, pieces_of
from agentrun.protocols.body import read_body
from agentrun.protocols.bots import served_bot
from agentrun.protocols.protocol import (
    Action,
    Answer,
    Ask,
    Call,
    Desk,
    Encoder,
    Protocol,
    Reply,
    Route,
    Stream,
)
from agentrun.protocols.protocol import call_of as run_call_of
from agentrun.utils import portal
from agentrun.utils.json import dumps

_BOT = "/v1/aibot/bots/{bot_id}"


class AIBot:
    """The wire of `@cloudbase/ai`. `AIBot(methods=...)` among the server's protocols takes the place of the plain one."""

    name = "aibot"
    media_type = "text/event-stream; charset=utf-8"
    json_only = True
    headers: Sequence[tuple[bytes, bytes]] = ()
    routes: Sequence[Route] = ()

    def __init__(self, settings: Settings | None = None, *, methods: BotMethods | None = None) -> None:
        self._methods = methods or BotMethods()
        self._ag_ui: Protocol | None = None
        self.actions: Sequence[Action] = (
            structs.replace(
                _action(
                    "POST", "/send-message", "Ask a bot", self._send, words.SendMessage, chunk=words.Frame
                ),
                resumable=True,
            ),
            _action(
                "POST",
                "/recommend-questions",
                "What a user might ask next",
                self._recommend,
                words.Recommend,
                chunk=words.Frame,
            ),
            *(self._json(*one) for one in _METHODS),
        )

    def meet(self, others: Sequence[Protocol]) -> None:
        """The wires beside this one: a body of AG-UI is answered by that one, on this one's path."""
        self._ag_ui = next((other for other in others if other.name == "ag_ui"), None)

    def decode(self, ask: Ask) -> AgentRequest:
        raise AssertionError("It has no routes.")

    def encoder(self, call: Call) -> Encoder:
        if call.request.protocol == "ag_ui" and self._ag_ui is not None:
            return self._ag_ui.encoder(call)
        return AIBotEncoder(call, call.request.bot_id or "")

    def error(self, error: AgentRunError) -> bytes:
        return errors.encode(error)

    async def _send(self, ask: Ask, desk: Desk) -> Answer:
        bot_id = _bot_of(ask, desk)
        fields, _ = read_body(ask.body, _Fields)
        if "messages" in fields and "msg" not in fields:
            if self._ag_ui is None:
                raise RequestError("This server does not serve AG-UI: send `msg`.", param="messages")
            request = structs.replace(self._ag_ui.decode(ask), bot_id=bot_id)
        else:
            call = call_of(ask, desk, bot_id)
            asked = call.read(words.SendMessage)
            request = await request_of(call, asked, self.name)
            if asked.conversation_id is not None:
                await name_conversation(call, asked.conversation_id, asked.msg)
        run = await desk.start(request)
        return Stream(run=run, encoder=self.encoder(run_call_of(run)))

    async def _recommend(self, ask: Ask, desk: Desk) -> Answer:
        call = call_of(ask, desk, _bot_of(ask, desk))
        call.read(words.Recommend)
        given = await self._call("get_recommend_questions", call)
        frames = [
            dumps(
                {
                    "type": "text",
                    "role": "assistant",
                    "content": piece,
                    "record_id": "recommend-questions",
                    "finish_reason": "continue",
                }
            )
            async for piece in pieces_of(given)
        ]
        frames.append(
            dumps(
                {
                    "type": "finish",
                    "role": "assistant",
                    "content": "",
                    "record_id": "recommend-questions",
                    "finish_reason": "stop",
                }
            )
        )
        body = b"".join(b"data: %s\n\n" % frame for frame in frames) + b"data: [DONE]\n\n"
        return Reply(body=body, media_type=self.media_type)

    def _json(
        self, method: Any, path: str, name: str, summary: str, request: type[Any] | None, response: type[Any]
    ) -> Action:
        async def act(ask: Ask, desk: Desk) -> Answer:
            call = call_of(ask, desk, _bot_of(ask, desk))
            if request is not None:
                call.read(request)
            return Reply(body=msgspec.json.encode(await self._call(name, call), enc_hook=str))

        return _action(method, path, summary, act, request, response)

    async def _call(self, name: str, call: BotCall) -> Any:
        """Ours here; a user's where it cannot hold up the server."""
        method = getattr(self._methods, name)
        if getattr(method, "__func__", None) is getattr(BotMethods, name):
            return await method(call)
        if inspect.iscoroutinefunction(method):
            return await portal.call(method(call))
        given = await asyncio.to_thread(method, call)
        return await portal.call(given) if inspect.iscoroutine(given) else given


class _Fields(msgspec.Struct):
    """Whatever is sent."""


def _bot_of(ask: Ask, desk: Desk) -> str:
    return served_bot(ask.path["bot_id"], desk, "botId")


def _action(
    method: Any,
    path: str,
    summary: str,
    act: Any,
    request: type[Any] | None = None,
    response: type[Any] | None = None,
    *,
    chunk: type[Any] | None = None,
) -> Action:
    return Action(
        path=_BOT + path,
        summary=summary,
        act=act,
        method=method,
        prefixed=False,
        request=request,
        response=response,
        chunk=chunk,
        error=errors.ErrorAnswer,
    )


_METHODS: tuple[tuple[str, str, str, str, type[Any] | None, type[Any]], ...] = (
    ("GET", "", "get_bot_info", "What is known of a bot", None, words.BotInfo),
    ("POST", "/wx-send-message", "wx_send_message", "Answer WeChat", words.WeChatCall, words.WeChatReply),
    ("GET", "/records", "get_chat_records", "What was said", None, words.Records),
    ("POST", "/feedback", "send_feedback", "Say what one thinks of an answer", words.Feedback, words.Done),
    ("GET", "/feedback", "get_feedback", "What was thought of answers", None, words.Feedbacks),
    ("POST", "/speech-to-text", "speech_to_text", "Hear", words.SpeechToText, words.SpeechResult),
    ("POST", "/text-to-speech", "text_to_speech", "Speak", words.TextToSpeech, words.SpeechTask),
    ("GET", "/text-to-speech", "get_text_to_speech_result", "What was spoken", None, words.SpeechTaskResult),
    (
        "POST",
        "/conversation",
        "create_conversation",
        "Begin a conversation",
        words.NewConversation,
        words.CreatedConversation,
    ),
    ("GET", "/conversation", "get_conversation", "Conversations", None, words.Conversations),
    (
        "PATCH",
        "/conversation/{conversation_id}",
        "update_conversation",
        "Call it otherwise",
        words.Title,
        words.Count,
    ),
    ("DELETE", "/conversation/{conversation_id}", "delete_conversation", "Forget it", None, words.Count),
)

__all__ = ["AIBot", "BotCall", "BotMethods"]
