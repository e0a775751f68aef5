"""The aibot wire, by curl's means and by CloudBase's own client."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from patience import PATIENCE_S
from wire.clients import seen_by, shows
from wire.requirements import requirement
from wire.test_resume import Gated

from agentrun import AgentRunServer, reasoning, tool_call, tool_result
from agentrun.messages import AgentRequest
from agentrun.protocols.aibot import AIBot, BotCall, BotMethods
from agentrun.protocols.aibot.words import Recommend

CLIENT = "httpx"

BOT = "ibot-shop-v1"
UNKNOWN = f"There is no bot 'ibot-nobody-v1' here. This server has: {BOT}."


async def agent(request: AgentRequest):
    text = request.text
    if text == "fail":
        yield "Half"
        raise ValueError("no")
    if text == "think":
        yield reasoning("Hm.")
        for event in (*tool_call("add", {"a": 1}, call_id="c1"), *tool_result("c1", "2")):
            yield event
    if text == "ask":
        yield f"Hello {await request.ask('Who?')}"
        return
    yield " | ".join(message.text for message in request.messages)


class Methods(BotMethods):
    """Of a bot that speaks and recommends, but does not hear."""

    async def get_recommend_questions(self, call: BotCall) -> Any:
        asked = call.read(Recommend)
        return [f"{asked.msg}, why?", "How?", "When?"]

    def text_to_speech(self, call: BotCall) -> Any:
        assert threading.current_thread() is not threading.main_thread()
        return {"TaskId": "t1"}

    async def get_text_to_speech_result(self, call: BotCall) -> Any:
        return {"TaskId": call.query["taskId"], "Status": 2, "StatusStr": "success", "ResultUrl": "u"}


@pytest.fixture
def url(serve: Callable[..., str]) -> str:
    return serve(agent, bot_id=BOT)


@pytest.fixture
def own_url(serve: Callable[..., str]) -> str:
    return serve(agent, bot_id=BOT, protocols=["openai_chat", "ag_ui", AIBot(methods=Methods())])


def bot(url: str, user: str | None = "alice", bot_id: str = BOT) -> httpx.Client:
    headers = {"x-user-id": user} if user is not None else {}
    return httpx.Client(base_url=f"{url}/v1/aibot/bots/{bot_id}", headers=headers, timeout=PATIENCE_S)


def frames(answer: httpx.Response) -> list[dict[str, Any]]:
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "text/event-stream; charset=utf-8"
    lines = [line.removeprefix("data: ") for line in answer.text.split("\n\n") if line.startswith("data: ")]
    assert lines.pop() == "[DONE]"
    return [json.loads(line) for line in lines]


def say(asking: httpx.Client, msg: str, **more: Any) -> str:
    sent = frames(asking.post("/send-message", json={"msg": msg, **more}))
    return "".join(frame["content"] for frame in sent if frame["type"] == "text")


@requirement("aibot:client", "aibot:override", "aibot:recommend")
@seen_by("cloudbase-ai")
@shows("aibot", "stream", "sessions", "discovery", "errors")
def test_cloudbases_own_client_reads_it(own_url: str, node: Callable[..., Any]):
    got = node("aibot.mjs", own_url, BOT)
    assert got["text"] == "Hello"
    assert [(frame["type"], frame["content"]) for frame in got["frames"]] == [
        ("text", "Hello | Hello | again"),
        ("finish", ""),
    ]
    assert got["records"]["total"] == 4
    assert [row["content"] for row in got["records"]["recordList"]] == [
        "Hello",
        "Hello",
        "again",
        "Hello | Hello | again",
    ]
    assert got["info"]["botId"] == BOT and got["info"]["name"] == "shop"
    assert got["feedbacks"]["total"] == 1 and got["feedbacks"]["feedbackList"][0]["comment"] == "good"
    assert [one["title"] for one in got["conversations"]["data"]] == ["Hello"]
    assert got["deleted"] == {"count": 1}
    assert got["recommended"] == "hi, why?\nHow?\nWhen?"
    assert got["speech"]["StatusStr"] == "success"
    assert "NOT_IMPLEMENTED" in got["refused"]
    assert UNKNOWN in got["unknown"]


ROUTES = [
    ("POST", "/send-message", {"msg": "hi"}, 200),
    (
        "POST",
        "/wx-send-message",
        {"callbackData": {"FromUserName": "u", "ToUserName": "b", "Content": "hi"}},
        200,
    ),
    ("GET", "", None, 200),
    ("GET", "/records?sort=asc", None, 200),
    ("POST", "/recommend-questions", {"msg": "hi"}, 501),
    ("POST", "/feedback", {"recordId": "record-x", "type": "upvote"}, 404),
    ("GET", "/feedback", None, 200),
    ("POST", "/speech-to-text", {"voiceFormat": "mp3", "url": "https://x.test/a"}, 501),
    ("POST", "/text-to-speech", {"text": "hi", "voiceType": 1}, 501),
    ("GET", "/text-to-speech?taskId=t", None, 501),
    ("POST", "/conversation", {}, 200),
    ("GET", "/conversation", None, 200),
    ("PATCH", "/conversation/c", {"title": "t"}, 200),
    ("DELETE", "/conversation/c", None, 200),
]


@requirement("aibot:routes")
def test_all_routes_answer(url: str):
    with bot(url) as asking:
        for method, path, body, status in ROUTES:
            base = str(asking.base_url).rstrip("/")
            answer = asking.request(method, base + path, json=body, headers={"x-request-id": "r-1"})
            assert answer.status_code == status, (path, answer.text)
            if status != 200:
                error = answer.json()
                assert set(error) == {"code", "message", "requestId"}
                assert error["requestId"] == "r-1" == answer.headers["x-request-id"]
                assert error["code"] == ("NOT_IMPLEMENTED" if status == 501 else "NOT_FOUND")


@requirement("aibot:frames")
@shows("aibot", "reasoning", "own_tools")
def test_thoughts_and_tools_come_in_order(url: str):
    with bot(url) as asking:
        sent = frames(asking.post("/send-message", json={"msg": "think"}))
    assert [frame["type"] for frame in sent] == ["thinking", "tool-call", "tool-result", "text", "finish"]
    for frame in sent:
        assert {"created", "record_id", "model", "version", "type", "role", "content"} <= set(frame)
        assert frame["role"] == "assistant" and frame["model"] == BOT
    assert sent[1]["tool_call"]["function"] == {"name": "add", "arguments": {"a": 1}}
    assert sent[2]["toolCallId"] == "c1" and sent[2]["result"] == "2"
    assert sent[-1]["finish_reason"] == "stop"


@requirement("aibot:error")
def test_a_failure_is_a_frame_and_a_record(url: str):
    with bot(url) as asking:
        sent = frames(asking.post("/send-message", json={"msg": "fail"}))
        assert [frame["type"] for frame in sent] == ["text", "error"]
        assert sent[-1]["error"]["code"] == "AGENT_ERROR" and sent[-1]["finish_reason"] == "error"
        rows = asking.get("/records").json()["recordList"]
    assert [(row["role"], row["status"], row["content"]) for row in rows] == [
        ("assistant", "error", "Half"),
        ("user", "done", "fail"),
    ]


@requirement("aibot:history", "aibot:isolation")
def test_a_conversation_is_heard_by_nobody_else(serve: Callable[..., str]):
    url = serve(None, agents={BOT: agent, "ibot-other-v1": agent})
    with (
        bot(url) as alice,
        bot(url, "bob") as bob,
        bot(url, bot_id="ibot-other-v1") as other,
        bot(url, None) as nobody,
    ):
        assert say(alice, "one") == "one"
        assert say(alice, "two") == "one | one | two"
        assert say(alice, "three", conversationId="c") == "three"
        assert say(bob, "x") == "x" and say(bob, "y", conversationId="c") == "y"
        assert say(other, "z") == "z"
        assert say(nobody, "n") == "n" and say(nobody, "m") == "m"
        assert nobody.get("/records").json() == {"recordList": [], "total": 0}
        assert bob.get("/records", params={"conversationId": "c"}).json()["total"] == 2
        assert bob.delete("/conversation/default").json() == {"count": 1}
        assert say(alice, "four") == "one | one | two | one | one | two | four"


@requirement("aibot:history_given")
def test_of_a_history_that_is_sent_pairs_count(url: str):
    def spoke(role: str, content: str) -> dict[str, str]:
        return {"role": role, "content": content}

    pairs = [spoke(role, f"{role[0]}{number}") for number in range(12) for role in ("user", "assistant")]
    odd = [spoke("assistant", "x"), spoke("user", "lost"), spoke("user", "q"), spoke("assistant", ""), *pairs]
    with bot(url) as asking:
        expected = " | ".join(one["content"] for one in pairs[-20:])
        assert say(asking, "now", history=odd) == f"{expected} | now"


@requirement("aibot:records")
def test_records_come_by_pages(url: str):
    with bot(url) as asking:
        for number in range(12):
            say(asking, f"m{number}", history=[])
        page = asking.get("/records", params={"sort": "desc", "pageSize": 10, "pageNumber": 2}).json()
        assert page["total"] == 24
        assert [row["content"] for row in page["recordList"]] == [
            f"m{number}" for number in (6, 6, 5, 5, 4, 4, 3, 3, 2, 2)
        ]
        row = page["recordList"][0]
        assert row["replyTo"] == page["recordList"][1]["recordId"] and row["botId"] == BOT
        for wrong in ({"pageSize": 0}, {"pageNumber": 0}, {"pageSize": "x"}, {"sort": "up"}):
            assert asking.get("/records", params=wrong).status_code == 400


@requirement("aibot:feedback")
def test_feedback_is_found_by_its_filters(url: str):
    with bot(url) as asking, bot(url, "bob") as bob:
        for number, kind in enumerate(("upvote", "downvote")):
            record = frames(asking.post("/send-message", json={"msg": "hi"}))[0]["record_id"]
            body = {"recordId": record, "type": kind, "rating": number + 1, "tags": ["t"], "botId": BOT}
            assert bob.post("/feedback", json=body).status_code == 404
            assert asking.post("/feedback", json=body).status_code == 200
        for query, found in (
            ({}, ["downvote", "upvote"]),
            ({"type": "upvote"}, ["upvote"]),
            ({"minRating": 2}, ["downvote"]),
            ({"maxRating": 1}, ["upvote"]),
            ({"sender": "ali", "senderFilter": "prefix"}, ["downvote", "upvote"]),
            ({"sender": "alice", "senderFilter": "unequal"}, []),
            ({"pageSize": 1, "pageNumber": 2}, ["upvote"]),
        ):
            got = asking.get("/feedback", params=query).json()
            assert [one["type"] for one in got["feedbackList"]] == found, query
        assert asking.get("/feedback", params={"senderFilter": "like"}).status_code == 400
        assert bob.get("/feedback").json()["total"] == 0


@requirement("aibot:conversations", "aibot:title")
def test_conversations_are_kept(url: str):
    with bot(url) as asking, bot(url, "bob") as bob:
        made = asking.post("/conversation", json={"title": "Plans"}).json()
        assert made["title"] == "Plans" and made["conversationId"].startswith("conversation-")
        other = asking.post("/conversation", json={}).json()["conversationId"]
        say(asking, "What is   new?", conversationId=other)
        listed = asking.get("/conversation").json()
        assert listed["total"] == 2 and [one["title"] for one in listed["data"]] == ["What is new?", "Plans"]
        assert (
            asking.get("/conversation", params={"limit": 1, "offset": 1}).json()["data"][0]["title"]
            == "Plans"
        )
        path = f"/conversation/{other}"
        assert asking.patch(path, json={"title": " "}).status_code == 400
        assert bob.patch(path, json={"title": "Mine"}).json() == bob.delete(path).json() == {"count": 0}
        assert asking.patch(path, json={"title": "News"}).json() == {"count": 1}
        say(asking, "more", conversationId=other)
        assert asking.get("/conversation").json()["data"][0]["title"] == "News"
        assert asking.delete(path).json() == {"count": 1}
        assert asking.get("/records", params={"conversationId": other}).json()["total"] == 0
        assert asking.get("/conversation").json()["total"] == 1


@requirement("aibot:wechat")
def test_wechat_is_answered_at_once(serve: Callable[..., str]):
    class Hearing(BotMethods):
        async def speech_to_text(self, call: BotCall) -> Any:
            return {"Result": "heard"}

    def data(kind: str, content: str = "") -> dict[str, Any]:
        names = {"FromUserName": "openid", "ToUserName": "gh_1", "MsgType": kind, "Content": content}
        return {"triggerSrc": "WXSubscription", "wxVerify": False, "callbackData": names}

    url = serve(agent, bot_id=BOT, protocols=[AIBot(methods=Hearing())])
    with bot(url, None) as asking:
        reply = asking.post("/wx-send-message", json=data("text", "hi")).json()
        assert reply.pop("CreateTime") > 0
        assert reply == {"ToUserName": "openid", "FromUserName": "gh_1", "MsgType": "text", "Content": "hi"}
        assert asking.post("/wx-send-message", json=data("voice")).json()["Content"] == "hi | hi | heard"
        assert asking.post("/wx-send-message", json=data("image")).status_code == 501
        assert asking.post("/wx-send-message", json=data("text", "fail")).status_code == 500


@requirement("aibot:bot_id")
@pytest.mark.parametrize(
    ("bot_id", "status", "code"),
    [
        ("ibot-nobody-v1", 404, "BOT_NOT_FOUND"),
        ("ibot-Shop-v1", 400, "INVALID_BOT_ID"),
        ("MyAgent", 400, "INVALID_BOT_ID"),
        ("ibot-a-b-c", 400, "INVALID_BOT_ID"),
        ("ibot-a-b%0a", 400, "INVALID_BOT_ID"),
        ("%2e%2e%5c%2e%2e", 400, "INVALID_BOT_ID"),
    ],
)
def test_a_bot_that_is_not_here_is_named(url: str, bot_id: str, status: int, code: str):
    with bot(url, bot_id=bot_id) as asking:
        for answer in (asking.post("/send-message", json={"msg": "hi"}), asking.get("/records")):
            assert answer.status_code == status and answer.json()["code"] == code
            assert "Did you mean ibot-" in answer.json()["message"] or BOT in answer.json()["message"]


def test_without_a_bot_id_every_valid_one_is_served(serve: Callable[..., str]):
    url = serve(agent)
    with bot(url, bot_id="ibot-any-1") as asking:
        assert say(asking, "hi") == "hi"
        assert asking.get(str(asking.base_url).rstrip("/")).json()["botId"] == "ibot-any-1"


@requirement("aibot:ag_ui")
def test_a_body_of_ag_ui_is_answered_as_ag_ui(url: str, serve: Callable[..., str]):
    body = {"threadId": "t", "runId": "r", "messages": [{"id": "1", "role": "user", "content": "hi"}]}
    with bot(url) as asking:
        text = asking.post("/send-message", json=body).text
        types = [json.loads(line[6:])["type"] for line in text.split("\n\n") if line.startswith("data: ")]
        assert types[0] == "RUN_STARTED" and types[-1] == "RUN_FINISHED" and "TEXT_MESSAGE_CONTENT" in types
    with bot(serve(agent, bot_id=BOT, protocols=["aibot"])) as asking:
        answer = asking.post("/send-message", json=body)
        assert answer.status_code == 400 and "send `msg`" in answer.json()["message"]


@shows("aibot", "human")
def test_a_question_is_text_and_the_next_message_answers_it(url: str):
    with bot(url) as asking, bot(url, None) as nobody:
        assert say(asking, "ask") == "Who?"
        assert say(asking, "Alice") == "Hello Alice"
        sent = frames(nobody.post("/send-message", json={"msg": "ask"}))
        assert say(nobody, "Bob", resume=sent[0]["input_required"]["id"]) == "Hello Bob"


@shows("aibot", "access")
def test_keys_are_asked_for_in_this_wires_words(serve: Callable[..., str]):
    with bot(serve(agent, bot_id=BOT, api_keys=["k"])) as asking:
        answer = asking.get("/records")
        assert answer.status_code == 401 and answer.json()["code"] == "INVALID_CREDENTIALS"
        assert asking.get("/records", headers={"authorization": "Bearer k"}).status_code == 200


def test_a_bot_of_ones_own_takes_the_place_of_the_plain_one():
    server = AgentRunServer(invoke_agent=agent, protocols=["openai_chat", "aibot", AIBot(methods=Methods())])
    assert [protocol.name for protocol in server.protocols] == ["openai_chat", "aibot"]


CLASSIC = {"msg": "hi"}
AG_UI = {
    "threadId": "t",
    "runId": "r",
    "messages": [{"id": "1", "role": "user", "content": "hi"}],
    **{"state": None, "tools": [], "context": [], "forwardedProps": None},
}


@pytest.mark.parametrize("body", [CLASSIC, AG_UI], ids=["classic", "ag_ui"])
@requirement("aibot:resume")
def test_a_lost_stream_goes_on_after_any_of_its_frames(serve: Callable[..., str], body: dict[str, Any]):
    agent = Gated()
    url = serve(agent, bot_id=BOT, on_disconnect="continue")
    with bot(url) as asking:
        plain = asking.build_request("POST", "/send-message", json=body)
        reading = {"headers": {"accept": "text/event-stream"}}
        with asking.stream("POST", "/send-message", json=body, **reading) as answer:
            before: list[tuple[str, str]] = []
            for line in answer.iter_lines():
                before.append(tuple(line.split(": ", 1)) if ": " in line else ("", ""))
                if before[-1][0] == "data" and "one " in before[-1][1]:
                    break
        agent.go_on.set()
        (last, *_) = [value for name, value in reversed(before) if name == "id"]
        run_id = last.rpartition(":")[0]
        rest = asking.post("/send-message", json=body, headers={"last-event-id": last})
        assert "two" in rest.text and rest.headers["x-run-id"] == run_id
        whole = asking.post("/send-message", json=body, headers={"last-event-id": f"{run_id}:0"})
        assert "one " in whole.text and "two" in whole.text
        assert agent.runs == 1
        assert (
            asking.post("/send-message", json=body, headers={"last-event-id": "run_x:1"}).status_code == 404
        )
        assert "id:" not in asking.send(plain).text
