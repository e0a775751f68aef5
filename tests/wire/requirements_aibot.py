"""What the aibot wire has to do."""

_DOCS = "Tencent CloudBase, agent framework: routes and frames"
ROWS: dict[str, tuple[str, str]] = {
    "aibot:resume": (
        "WHATWG HTML, 9.2 Server-sent events",
        "A stream that was lost goes on after the frame that its client saw last, in either body's form.",
    ),
    "aibot:client": ("@cloudbase/ai 3.3.3", "CloudBase's own client reads every answer as it is."),
    "aibot:routes": (_DOCS, "All 14 routes answer; what no bot provides is 501 with a request id."),
    "aibot:frames": (
        _DOCS,
        "Frames carry created, record_id, model, version, type, role, content and finish_reason; [DONE] is last.",
    ),
    "aibot:error": (
        _DOCS,
        "An agent's failure in a stream is an error frame, then [DONE], and a record of the status error.",
    ),
    "aibot:history": (_DOCS, "A turn without history sees those before it in its conversation."),
    "aibot:history_given": (
        _DOCS,
        "Of a history that is sent, pairs with content count, the last 20 messages of them.",
    ),
    "aibot:isolation": (_DOCS, "Nothing is read across users, bots and conversations."),
    "aibot:records": (_DOCS, "Records come by pages, in the order asked for, with their total."),
    "aibot:feedback": (
        _DOCS,
        "Feedback is kept with its record and found by its filters; of no record it is 404.",
    ),
    "aibot:conversations": (
        _DOCS,
        "Conversations are begun, listed, called otherwise and forgotten with their records.",
    ),
    "aibot:title": (_DOCS, "The first message names a conversation."),
    "aibot:recommend": (_DOCS, "Recommended questions are a stream of text with a line for each."),
    "aibot:wechat": (
        _DOCS,
        "A text of WeChat is answered with a reply object; a voice message goes through speech-to-text.",
    ),
    "aibot:bot_id": (_DOCS, "A bot's id is checked before anything is read, written or run."),
    "aibot:ag_ui": (
        "cloudbase-agent-server 0.1.22",
        "A body of AG-UI on the same path is answered as AG-UI.",
    ),
    "aibot:override": (_DOCS, "A user's methods take the place of ours, sync or async."),
}
