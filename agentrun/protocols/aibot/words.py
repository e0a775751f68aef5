"""What this wire's requests and answers look like."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta


class HistoryMessage(msgspec.Struct):
    """What was said before."""

    role: Literal["user", "assistant"]
    content: str


class SendMessage(msgspec.Struct, rename="camel", kw_only=True):
    """A question; a body with `messages` is AG-UI's instead."""

    msg: str
    history: list[HistoryMessage] | None = None
    search_enable: bool | None = None
    files: list[str] | None = None
    conversation_id: str | None = None
    resume: str | None = None


class Frame(msgspec.Struct):
    """One frame of a stream; docs/wires/aibot.md says what each type has. The last one is `[DONE]`."""

    type: str
    content: str


class Title(msgspec.Struct):
    """What a conversation is called."""

    title: Annotated[str, Meta(min_length=1, max_length=200)]


class NewConversation(msgspec.Struct):
    """A conversation to begin."""

    title: Annotated[str, Meta(max_length=200)] | None = None


class Conversation(msgspec.Struct, rename="camel", kw_only=True):
    """A conversation in a list."""

    conversation_id: str
    title: str
    create_time: str
    update_time: str


class CreatedConversation(msgspec.Struct, rename="camel"):
    """A conversation that was begun."""

    conversation_id: str
    title: str


class Conversations(msgspec.Struct):
    """Conversations, the latest first."""

    data: list[Conversation]
    total: int


class Count(msgspec.Struct):
    """How many were changed."""

    count: int


class Record(msgspec.Struct, rename="camel", kw_only=True):
    """What one side said. `reply` and `reply_to` are the records of the other."""

    bot_id: str
    record_id: str
    role: Literal["user", "assistant"]
    status: Literal["pending", "done", "error", "cancel"]
    content: str
    conversation: str
    file_infos: list[dict[str, Any]] = []
    type: str = "text"
    image: str = ""
    trigger_src: str = "TCB"
    reply: str = ""
    reply_to: str = ""
    create_time: str
    trace_id: str = msgspec.field(name="trace_id")


class Records(msgspec.Struct, rename="camel"):
    """A page of records."""

    record_list: list[Record]
    total: int


class Feedback(msgspec.Struct, rename="camel", kw_only=True):
    """What a user thinks of an answer."""

    record_id: str
    type: Literal["upvote", "downvote"]
    bot_id: str = ""
    comment: str = ""
    rating: float | None = None
    tags: list[str] = []
    input: str = ""
    ai_answer: str = ""
    sender: str = ""
    create_time: str = ""


class Feedbacks(msgspec.Struct, rename="camel"):
    """A page of feedback."""

    feedback_list: list[Feedback]
    total: int


class Done(msgspec.Struct):
    """It was done."""

    status: Literal["success"] = "success"


class BotInfo(msgspec.Struct, rename="camel", kw_only=True):
    """What a user interface may know of a bot."""

    bot_id: str
    name: str
    model: str = ""
    agent_setting: str = ""
    introduction: str = ""
    welcome_message: str = ""
    avatar: str = ""
    is_need_recommend: bool = False
    knowledge_base: list[str] = []
    database_model: list[str] = []
    init_questions: list[str] = []
    search_enable: bool = False
    search_file_enable: bool = False
    mcp_server_list: list[dict[str, Any]] = []
    voice_settings: dict[str, Any] = {}
    update_time: int = 0
    multi_conversation_enable: bool = True


class WeChatData(msgspec.Struct):
    """A message as WeChat calls back with it; names as they come."""

    FromUserName: str
    ToUserName: str = ""
    MsgType: str = "text"
    Content: str = ""
    CreateTime: int = 0


class WeChatCall(msgspec.Struct, rename="camel", kw_only=True):
    """A call back of WeChat."""

    callback_data: WeChatData
    trigger_src: str = ""
    wx_verify: bool = False


class WeChatReply(msgspec.Struct):
    """What WeChat shows its user."""

    ToUserName: str
    FromUserName: str
    CreateTime: int
    MsgType: str
    Content: str


class Recommend(msgspec.Struct, rename="camel"):
    """What questions are to be recommended for."""

    msg: str
    history: list[HistoryMessage] | None = None
    name: str | None = None
    introduction: str | None = None
    agent_setting: str | None = None


class SpeechToText(msgspec.Struct, rename="camel"):
    """A recording."""

    voice_format: str
    url: str
    eng_ser_vice_type: str = ""
    is_preview: bool = False


class SpeechResult(msgspec.Struct):
    """What was heard."""

    Result: str


class TextToSpeech(msgspec.Struct, rename="camel"):
    """A text to be spoken."""

    text: str
    voice_type: int = 1
    is_preview: bool = False


class SpeechTask(msgspec.Struct):
    """A speech that is being made."""

    TaskId: str


class SpeechTaskResult(msgspec.Struct):
    """How far it is."""

    TaskId: str
    Status: int
    StatusStr: str
    ResultUrl: str = ""
