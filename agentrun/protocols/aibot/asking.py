"""What a user says to a bot -> AgentRequest."""

from __future__ import annotations

from pathlib import PurePosixPath
from urllib.parse import urlsplit

from agentrun.messages import AgentRequest, File, Image, Message, Part, Role, Text
from agentrun.protocols.aibot.call import BotCall
from agentrun.protocols.aibot.records import paired, spoken
from agentrun.protocols.aibot.words import SendMessage
from agentrun.sessions import branch

_IMAGES = frozenset((".png", ".jpg", ".jpeg", ".gif", ".webp", ".bmp"))
_OWN_PLACE = frozenset(("msg", "history", "files", "conversationId", "resume"))


async def request_of(call: BotCall, asked: SendMessage, protocol: str) -> AgentRequest:
    """The question with its history: what the client says it was, or what is kept of the conversation."""
    session_id = call.session_of(asked.conversation_id)
    if asked.history is not None:
        history = [Message(Role(message.role), message.content) for message in asked.history]
    elif session_id is not None:
        history = spoken(branch(await call.desk.conversations.store.session(call.scope, session_id)))
    else:
        history = []
    return AgentRequest(
        messages=[*paired(history), Message(Role.USER, _content(asked))],
        stream=True,
        session_id=session_id,
        user_id=call.user_id,
        bot_id=call.bot_id,
        kept=True,
        resumes=asked.resume,
        headers=call.headers,
        extra={name: value for name, value in call.body.items() if name not in _OWN_PLACE},
        protocol=protocol,
    )


def _content(asked: SendMessage) -> str | list[Part]:
    if not asked.files:
        return asked.msg
    return [Text(asked.msg), *map(_file, asked.files)]


def _file(url: str) -> Part:
    """Files of a cloud storage go by their ids."""
    parts = urlsplit(url)
    name = PurePosixPath(parts.path)
    if parts.scheme in ("http", "https") and name.suffix.lower() in _IMAGES:
        return Image(url)
    if parts.scheme == "cloud":
        return File(id=url, name=name.name or None)
    return File(data=url, name=name.name or None)
