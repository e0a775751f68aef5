"""SendMessageRequest: its types, and how it becomes an AgentRequest."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import msgspec

from agentrun.errors import RequestError
from agentrun.messages import AgentRequest, Audio, File, Image, Message, Part, Role, Text
from agentrun.protocols.body import read_fields
from agentrun.utils.json import dumps

_NOT_THE_AGENTS = "taskPushNotificationConfig"  # it has the receiver's credentials


class InputPart(msgspec.Struct, rename="camel"):
    """One of `text`, `raw` (base64), `url` or `data` (any JSON)."""

    text: str | None = None
    raw: str | None = None
    url: str | None = None
    data: Any = msgspec.UNSET
    media_type: str | None = None
    filename: str | None = None


class InputMessage(msgspec.Struct, rename="camel"):
    """What the caller says; `contextId` goes on with a conversation, `taskId` answers a task that waits."""

    message_id: str
    parts: list[InputPart]
    role: Literal["ROLE_USER", "ROLE_AGENT"] = "ROLE_USER"
    context_id: str | None = None
    task_id: str | None = None


class Configuration(msgspec.Struct, rename="camel"):
    """How the caller wants its answer."""

    return_immediately: bool = False
    history_length: int | None = None
    task_push_notification_config: dict[str, Any] | None = None


class SendMessageRequest(msgspec.Struct):
    """A message for the agent."""

    message: InputMessage
    configuration: Configuration | None = None
    metadata: dict[str, Any] | None = None


def read(params: dict[str, Any]) -> SendMessageRequest:
    """The request, or a RequestError that points at what is wrong."""
    asked = read_fields(params, SendMessageRequest)
    if not asked.message.parts:
        raise RequestError("message.parts is empty: send at least one.", param="message.parts")
    if not asked.message.message_id:
        raise RequestError("message.messageId is empty.", param="message.messageId")
    return asked


def agent_request(
    asked: SendMessageRequest, params: dict[str, Any], headers: Mapping[str, str], *, stream: bool
) -> AgentRequest:
    """What the agent is asked. The caller sends what is new; the context has the rest."""
    message = asked.message
    parts = [_part(position, part) for position, part in enumerate(message.parts)]
    only_text = all(isinstance(part, Text) for part in parts)
    content = "\n".join(part.text for part in parts if isinstance(part, Text)) if only_text else parts
    extra: dict[str, Any] = {"message": params["message"]}
    if asked.configuration is not None:
        sent = params["configuration"].items()
        extra["configuration"] = {name: value for name, value in sent if name != _NOT_THE_AGENTS}
    return AgentRequest(
        messages=[Message(Role.USER, content, id=message.message_id)],
        stream=stream,
        session_id=None if message.task_id else message.context_id or None,
        continues=message.task_id or None,
        new_only=True,
        kept=True,
        user_id=headers.get("x-user-id"),
        metadata=asked.metadata or {},
        headers=headers,
        extra=extra,
        protocol="a2a",
    )


def _part(position: int, part: InputPart) -> Part:
    media_type = part.media_type or ""
    if part.text is not None:
        return Text(part.text)
    if part.raw is not None:
        if media_type.startswith("audio/"):
            return Audio(part.raw, media_type.removeprefix("audio/"))
        return _file(f"data:{media_type or 'application/octet-stream'};base64,{part.raw}", part)
    if part.url is not None:
        return _file(part.url, part)
    if part.data is not msgspec.UNSET:
        return Text(dumps(part.data).decode())
    raise RequestError(
        "A part has one of text, raw, url or data.",
        param=f"message.parts[{position}]",
        code="missing_required_parameter",
    )


def _file(url: str, part: InputPart) -> Part:
    if (part.media_type or "").startswith("image/"):
        return Image(url)
    return File(data=url, name=part.filename)
