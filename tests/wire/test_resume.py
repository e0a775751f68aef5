"""Going on with a stream, looking at runs, and stopping them."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from typing import Any

import httpx
import openai
import pytest
from patience import PATIENCE_S
from wire.clients import shows

from agentrun import events
from agentrun.server import AgentRequest

CLIENT = "httpx"

CHAT = "/openai/v1/chat/completions"
ASK: dict[str, Any] = {"model": "m", "messages": [{"role": "user", "content": "hi"}]}
STREAM = {**ASK, "stream": True, "stream_options": {"include_usage": True}}
EVENTS = {"accept": "text/event-stream"}
TOOL = {"type": "function", "function": {"name": "get_time", "parameters": {"type": "object"}}}
SAID = [
    events.reasoning("let "),
    events.reasoning("me see"),
    "one ",
    "two ",
    events.tool_call("lookup", {}, call_id="a1"),
    events.tool_result("a1", "found"),
    "three",
    events.tool_call("get_time", {"tz": "UTC"}, call_id="c1"),
    events.tool_call("get_time", {"tz": "CET"}, call_id="c2"),
]


class Gated:
    """Says `first`, waits to be let on, says `then`."""

    def __init__(self, first: str = "one ", then: str = "two") -> None:
        self.first, self.then = first, then
        self.begun, self.go_on, self.ended = threading.Event(), threading.Event(), threading.Event()
        self.runs = 0

    def __call__(self, request: AgentRequest) -> Iterator[str]:
        self.runs += 1
        try:
            yield self.first
            self.begun.set()
            while not self.go_on.wait(0.01):
                yield events.Custom("tick", None)
            yield self.then
        finally:
            self.ended.set()


def read(lines: Iterator[str]) -> Iterator[tuple[str | None, Any]]:
    """The frames of a stream: id, and data."""
    last = None
    for line in lines:
        if line.startswith("id: "):
            last = line[4:]
        elif line.startswith("data: "):
            yield last, line[6:] if line == "data: [DONE]" else json.loads(line[6:])
            last = None


def put_together(frames: list[Any]) -> dict[str, Any]:
    """What a client makes of chunks."""
    said: dict[str, Any] = {"content": "", "reasoning_content": "", "calls": {}, "reasons": [], "usage": None}
    for frame in frames:
        if frame == "[DONE]":
            continue
        said["usage"] = frame.get("usage") or said["usage"]
        for choice in frame["choices"]:
            for field in ("content", "reasoning_content"):
                said[field] += choice["delta"].get(field) or ""
            for call in choice["delta"].get("tool_calls", ()):
                known = said["calls"].setdefault(call["index"], {"id": None, "arguments": ""})
                known["id"] = call.get("id") or known["id"]
                known["arguments"] += call["function"]["arguments"]
            if choice["finish_reason"]:
                said["reasons"].append(choice["finish_reason"])
    return said


def test_frames_are_numbered_for_those_who_read_event_streams_only(serve):
    url = serve(["a", "b"])
    numbered = list(read(httpx.post(url + CHAT, json=STREAM, headers=EVENTS).text.splitlines()))
    run_ids = {frame_id.rpartition(":")[0] for frame_id, data in numbered if frame_id}
    indices = [int(frame_id.rpartition(":")[2]) for frame_id, data in numbered if frame_id]
    assert len(run_ids) == 1
    assert indices == sorted(set(indices))
    # a client that is cut off between the frames of one event has to get all of them again
    assert [frame_id is None for frame_id, _ in numbered[-3:]] == [True, True, False]
    assert "id:" not in httpx.post(url + CHAT, json=STREAM).text


@shows("chat", "resume")
def test_a_stream_goes_on_after_any_of_its_frames(serve):
    read_all = threading.Event()

    def agent(request: AgentRequest) -> Iterator[Any]:
        yield from SAID
        read_all.wait(PATIENCE_S)  # once a run is over its deltas are merged

    url = serve(agent)
    body = {**STREAM, "tools": [TOOL]}
    frames = []
    with httpx.Client(base_url=url, headers=EVENTS) as client:
        with client.stream("POST", CHAT, json=body) as answer:
            run_id = answer.headers["x-run-id"]
            for frame in read(answer.iter_lines()):
                frames.append(frame)
                if "CET" in json.dumps(frame):
                    read_all.set()
        expected = put_together([data for _, data in frames])
        assert expected["content"] == "one two three"
        assert [call["id"] for call in expected["calls"].values()] == ["c1", "c2"]
        last = max(index_of(frame_id) for frame_id, _ in frames if frame_id)
        completion = frames[0][1]["id"]
        for after in range(-1, last + 3):
            rest = client.get(f"{CHAT}/{completion}?stream=true&starting_after={after}").text
            if after >= 0:
                resumed = client.post(CHAT, json=body, headers={"last-event-id": f"{run_id}:{after}"})
                assert resumed.text == rest
            later = [data for _, data in read(iter(rest.splitlines()))]
            if after >= last:
                assert later == []
                continue
            before = [data for frame_id, data in frames if frame_id and index_of(frame_id) <= after]
            assert later[-1] == "[DONE]"
            assert put_together(before + later) == expected


def index_of(frame_id: str) -> int:
    return int(frame_id.rpartition(":")[2])


@shows("chat", "resume")
def test_a_client_that_lost_its_connection_misses_nothing(serve):
    agent = Gated()
    url = serve(agent, on_disconnect="continue")
    with httpx.stream("POST", url + CHAT, json=STREAM, headers=EVENTS) as answer:
        before = []
        for last, data in read(answer.iter_lines()):
            before.append(data)
            if last and put_together(before)["content"]:
                break
    agent.go_on.set()
    rest = httpx.post(url + CHAT, json=STREAM, headers={**EVENTS, "last-event-id": last})
    after = [data for _, data in read(rest.text.splitlines())]
    assert put_together(before + after)["content"] == "one two"
    assert after[-1] == "[DONE]"
    assert agent.runs == 1


@pytest.mark.parametrize(
    "last", ["run_x:1", "run_x", "", "x" * 5000, "run_x:\u00b2", "run_x:-1", "run_x:" + "9" * 5000]
)
def test_nothing_to_resume_is_a_404(serve, last):
    agent = Gated("a", "b")
    agent.go_on.set()
    url = serve(agent)
    run_id = httpx.post(url + CHAT, json=STREAM).headers["x-run-id"]
    for value in (last, last.replace("run_x", run_id)):
        answer = httpx.post(url + CHAT, json=STREAM, headers={"last-event-id": value.encode("latin-1")})
        if value == "":
            assert answer.status_code == 200  # is as good as none
        elif not (value.startswith(run_id) and value[-1:] == "1" and "-" not in value):
            assert answer.status_code in (400, 404)
            assert answer.json()["error"]["code"] in ("run_not_found", "invalid_request")


@shows("chat", "resume")
def test_a_completion_can_be_asked_for_again_by_its_id(serve):
    with openai.OpenAI(base_url=f"{serve(SAID)}/openai/v1", api_key="none", max_retries=0) as client:
        answer = client.chat.completions.create(**ASK, tools=[TOOL])
        assert client.chat.completions.retrieve(answer.id) == answer
        with pytest.raises(openai.NotFoundError):
            client.chat.completions.retrieve("chatcmpl-nothing")


def test_an_answer_that_is_not_there_yet_is_a_409_and_can_be_followed(serve):
    agent = Gated()
    url = serve(agent, on_disconnect="continue")
    with httpx.stream("POST", url + CHAT, json=STREAM) as answer:
        completion = next(data["id"] for _, data in read(answer.iter_lines()))
    early = httpx.get(f"{url}{CHAT}/{completion}")
    assert (early.status_code, early.json()["error"]["code"]) == (409, "conflict")
    with httpx.stream("GET", f"{url}{CHAT}/{completion}?stream=true") as following:
        agent.go_on.set()
        frames = [data for _, data in read(following.iter_lines())]
    assert put_together(frames)["content"] == "one two"
    assert httpx.get(f"{url}{CHAT}/{completion}").json()["choices"][0]["message"]["content"] == "one two"


def test_a_failed_answer_fails_again(serve):
    url = serve(["half", events.RunFailed("broken", "It broke.")])
    failed = httpx.post(url + CHAT, json=ASK)
    completion = "chatcmpl-" + failed.headers["x-run-id"].removeprefix("run_")
    again = httpx.get(f"{url}{CHAT}/{completion}")
    assert (again.status_code, again.json()) == (failed.status_code, failed.json())
    replayed = list(read(httpx.get(f"{url}{CHAT}/{completion}?stream=true").text.splitlines()))
    assert replayed[-1][1]["error"]["message"] == "It broke."


def test_a_run_shows_what_it_did(serve):
    url = serve([*SAID, events.Usage(3, 4)])
    answer = httpx.post(url + CHAT, json={**ASK, "tools": [TOOL]}, headers={"x-session-id": "s"})
    run = httpx.get(f"{url}/runs/{answer.headers['x-run-id']}").json()
    assert run["object"] == "run"
    assert (run["status"], run["text"], run["model"], run["session_id"]) == (
        "completed",
        "one two three",
        "m",
        "s",
    )
    assert run["request_id"] == answer.headers["x-request-id"]
    assert run["usage"]["output_tokens"] == 4
    assert run["created"] <= run["first_output"] <= run["finished"]
    assert run["ending"] == {"type": "run.finished", "reason": "tool_calls"}
    assert [event["type"] for event in run["events"]][:2] == ["run.started", "part.started"]
    assert httpx.get(f"{url}/runs").json()["data"][0]["id"] == run["id"]


@shows("chat", "resume")
def test_the_events_of_a_run_can_be_followed_from_any_index(serve):
    agent = Gated()
    url = serve(agent, on_disconnect="continue")
    with httpx.stream("POST", url + CHAT, json=STREAM) as answer:
        run_id = answer.headers["x-run-id"]
        assert agent.begun.wait(PATIENCE_S)
        with httpx.stream("GET", f"{url}/runs/{run_id}/events") as following:
            assert following.headers["content-type"].startswith("text/event-stream")
            seen = []
            for index, event in read(following.iter_lines()):
                seen.append((int(index), event))
                agent.go_on.set()
    assert seen[0] == (0, {"type": "run.started", "run_id": run_id})
    assert seen[-1][1] == {"type": "run.finished"}
    assert [index for index, _ in seen] == list(range(len(seen)))
    last_index = seen[-1][0]
    for ask in (
        httpx.get(f"{url}/runs/{run_id}/events?after={last_index - 1}"),
        httpx.get(f"{url}/runs/{run_id}/events", headers={"last-event-id": str(last_index - 1)}),
    ):
        assert list(read(ask.text.splitlines())) == [(str(last_index), {"type": "run.finished"})]
    assert httpx.get(f"{url}/runs/{run_id}/events?after=x").status_code == 400


@pytest.mark.parametrize("path", ["", "/cancel"])
@pytest.mark.parametrize("stream", [True, False])
def test_fact_30_a_run_can_be_stopped_by_its_id(serve, path, stream):
    agent = Gated()
    url = serve(agent)
    answers: list[httpx.Response] = []
    asking = threading.Thread(
        target=lambda: answers.append(httpx.post(url + CHAT, json={**STREAM, "stream": stream}))
    )
    asking.start()
    assert agent.begun.wait(PATIENCE_S)
    (run,) = httpx.get(f"{url}/runs").json()["data"]
    stopped = httpx.post(f"{url}/runs/{run['id']}{path}")
    assert stopped.status_code == 202
    assert agent.ended.wait(PATIENCE_S)
    asking.join(PATIENCE_S)
    (answer,) = answers
    if stream:
        frames = [data for _, data in read(answer.text.splitlines())]
        assert frames[-1] == "[DONE]"
        assert put_together(frames)["content"] == "one "
    else:
        assert answer.json()["choices"][0]["message"]["content"] == "one "
    assert httpx.get(f"{url}/runs/{run['id']}").json()["status"] == "cancelled"
    assert httpx.post(f"{url}/runs/{run['id']}{path}").json()["status"] == "cancelled"
    assert httpx.post(f"{url}/runs/run_nothing{path}").status_code == 404


@pytest.mark.parametrize(
    ("setting", "asked", "survives"),
    [
        ("cancel", None, False),
        ("continue", None, True),
        ("cancel", "continue", True),
        ("continue", "cancel", False),
    ],
)
def test_fact_30_the_policy_is_the_servers_unless_the_request_has_its_own(serve, setting, asked, survives):
    agent = Gated()
    url = serve(agent, on_disconnect=setting)
    headers = {"x-on-disconnect": asked} if asked else {}
    with httpx.stream("POST", url + CHAT, json=STREAM, headers=headers) as answer:
        run_id = answer.headers["x-run-id"]
        assert agent.begun.wait(PATIENCE_S)
    if survives:
        with httpx.stream("GET", f"{url}/runs/{run_id}/events") as following:
            agent.go_on.set()
            following.read()
    else:
        assert agent.ended.wait(PATIENCE_S)
        httpx.get(f"{url}/runs/{run_id}/events")  # comes to its end with the run
    run = httpx.get(f"{url}/runs/{run_id}").json()
    assert (run["status"], run["text"]) == (("completed", "one two") if survives else ("cancelled", "one "))


def test_fact_30_a_policy_that_there_is_not_is_a_400(serve):
    answer = httpx.post(serve(["a"]) + CHAT, json=ASK, headers={"x-on-disconnect": "maybe"})
    assert (answer.status_code, answer.json()["error"]["param"]) == (400, "x-on-disconnect")


def test_fact_30_a_second_reader_keeps_a_run_going(serve):
    agent = Gated()
    url = serve(agent)
    key = {"idempotency-key": "k"}
    with httpx.stream("POST", url + CHAT, json=STREAM, headers=key) as second:
        assert agent.begun.wait(PATIENCE_S)
        with httpx.stream("POST", url + CHAT, json=STREAM, headers=key) as first:
            assert first.headers["x-run-id"] == second.headers["x-run-id"]
        agent.go_on.set()
        frames = [data for _, data in read(second.iter_lines())]
    assert put_together(frames)["content"] == "one two"
    assert agent.runs == 1
