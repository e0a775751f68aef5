"""Every frame is one that A2A's own types accept, its chunks add up to the task, and nothing said is lost."""

from __future__ import annotations

import json
from typing import Any

import pytest
from a2a.compat.v0_3.types import SendStreamingMessageSuccessResponse
from a2a.types.a2a_pb2 import StreamResponse
from google.protobuf.json_format import ParseDict
from hypothesis import given
from hypothesis import strategies as st
from unit.protocols import golden_files
from unit.protocols.golden_files import complete
from unit.run import grammar

from agentrun.events import AnyEvent, RunFailed, RunFinished
from agentrun.messages import AgentRequest
from agentrun.protocols.a2a.encoder import TaskEncoder
from agentrun.protocols.protocol import Call

ASKED = {"messageId": "m1", "role": "ROLE_USER", "parts": [{"text": "hi"}]}
AWKWARD = '\n\r\v\f\x00\x1b\x1c\x1d\x1e\x85\u2028\u2029\ufeff\u200d"\\😀é漢\uffff'
ENDED = ("TASK_STATE_COMPLETED", "TASK_STATE_CANCELED", "TASK_STATE_FAILED", "TASK_STATE_INPUT_REQUIRED")


def encoder(**options: Any) -> TaskEncoder:
    request = AgentRequest(messages=[], session_id="s1", extra={"message": ASKED})
    return TaskEncoder(Call(run_id="run_00ff", created=1, request=request), rpc_id=7, **options)


def sent(events: list[AnyEvent], **options: Any) -> list[dict[str, Any]]:
    one = encoder(**options)
    stream = b"".join(map(one.encode, events)).decode()
    assert all(len(frame.splitlines()) == 1 for frame in stream.removesuffix("\n\n").split("\n\n"))
    return [json.loads(line.removeprefix("data: ")) for line in stream.splitlines() if line]


def add_up(frames: list[dict[str, Any]]) -> dict[str, str]:
    """The text of each artifact, put together as clients do."""
    texts: dict[str, str] = {}
    closed: set[str] = set()
    for frame in frames:
        update = frame.get("artifactUpdate")
        if update is None:
            continue
        name = update["artifact"]["artifactId"]
        assert name not in closed
        assert update.get("append", False) == (name in texts)
        texts[name] = texts.get(name, "") + "".join(part["text"] for part in update["artifact"]["parts"])
        if update.get("lastChunk"):
            closed.add(name)
    assert closed == set(texts)
    return texts


@pytest.mark.parametrize("name", golden_files.cases("a2a"))
def test_golden(name: str):
    events, expected = golden_files.read("a2a", name)
    one = encoder(plain=name.startswith("plain_"), legacy=name.startswith("old_"))
    assert b"".join(map(one.encode, events)) == expected


@given(st.lists(grammar.loose | st.just(AWKWARD), max_size=12), st.none() | grammar.failures)
def test_whatever_an_agent_gives_is_a_valid_stream_that_says_the_same(loose: list[Any], failure: Any):
    events = complete([*loose, failure] if failure else loose)
    answers = sent(events)
    assert all((answer["jsonrpc"], answer["id"]) == ("2.0", 7) for answer in answers)
    frames = [answer["result"] for answer in answers]
    for frame in frames:
        ParseDict(frame, StreamResponse())
    assert frames == sent(events, plain=True)
    assert "task" in frames[0]
    states = [frame["statusUpdate"]["status"]["state"] for frame in frames if "statusUpdate" in frame]
    assert [state for state in states if state in ENDED] == states[-1:]
    said = "".join(text for kind, text in grammar.said(events) if kind != "reasoning")
    assert "".join(add_up(frames).values()) == said
    thought = [
        part["text"]
        for frame in frames
        for part in frame.get("statusUpdate", {}).get("status", {}).get("message", {}).get("parts", [])
        if part.get("metadata", {}).get("kind") == "reasoning"
    ]
    assert "".join(thought) == "".join(text for kind, text in grammar.said(events) if kind == "reasoning")


@given(st.lists(grammar.loose, max_size=12), st.none() | grammar.failures)
def test_the_task_is_what_its_stream_adds_up_to(loose: list[Any], failure: Any):
    events = complete([*loose, failure] if failure else loose)
    frames = [answer["result"] for answer in sent(events)]
    task = json.loads(encoder().fold(events))["task"]
    ParseDict({"task": task}, StreamResponse())
    assert {one["artifactId"]: one["parts"][0]["text"] for one in task.get("artifacts", [])} == add_up(frames)
    last = frames[-1]["statusUpdate"]["status"]
    assert task["status"] == {**last, "timestamp": "1970-01-01T00:00:01.000Z"}


@given(st.lists(grammar.loose, max_size=12), st.none() | grammar.failures)
def test_clients_of_0_3_get_its_words(loose: list[Any], failure: Any):
    answers = sent(complete([*loose, failure] if failure else loose), legacy=True)
    for answer in answers:
        SendStreamingMessageSuccessResponse.model_validate(answer)
    finals = [answer["result"].get("final", False) for answer in answers]
    assert finals == [False] * (len(answers) - 1) + [True]


@pytest.mark.parametrize(
    ("ending", "state"),
    [
        (RunFinished("stop"), "TASK_STATE_COMPLETED"),
        (RunFinished("length"), "TASK_STATE_COMPLETED"),
        (RunFinished("cancelled"), "TASK_STATE_CANCELED"),
        (RunFinished("input_required"), "TASK_STATE_INPUT_REQUIRED"),
        (RunFailed("broken", "It broke."), "TASK_STATE_FAILED"),
    ],
)
def test_each_ending_has_its_state(ending: Any, state: str):
    assert sent(complete([ending]))[-1]["result"]["statusUpdate"]["status"]["state"] == state
