"""The AG-UI wire as its own clients read it: @ag-ui/client in Node, and the Python types."""

from __future__ import annotations

import asyncio
import json
import threading
from typing import Any

import httpx
import pytest
from ag_ui.core import Event, RunAgentInput, UserMessage
from patience import PATIENCE_S
from pydantic import TypeAdapter
from wire.clients import seen_by, shows
from wire.requirements import requirement

from agentrun import events
from agentrun.errors import RequestError
from agentrun.server import AgentRequest

CLIENT = "ag-ui-client"


class Agent:
    """Does what the question says."""

    def __init__(self) -> None:
        self.closed = threading.Event()
        self.asked: list[AgentRequest] = []

    async def __call__(self, request: AgentRequest):
        self.asked.append(request)
        match request.text:
            case "think":
                yield events.reasoning("let me see")
                yield "so "
                yield "it is"
                yield events.Usage(10, 4)
            case "look":
                yield "I look. "
                yield events.tool_call("lookup", {"q": 1}, call_id="a1")
                yield events.tool_result("a1", "found")
                yield "It is found."
            case "pick":
                if request.messages[-1].role == "tool":
                    yield f"You picked {request.messages[-1].text}."
                else:
                    yield events.tool_call("pick", {}, call_id="c1")
            case "state":
                yield events.StateChanged({"count": 1})
                yield events.StateChanged(patch=[{"op": "replace", "path": "/count", "value": 2}])
                yield "done"
            case "ask":
                yield events.InputRequired("Delete it?", "i1", schema={"type": "boolean"})
            case "wait":
                yield f"You said {await request.ask('Sure?', schema={'type': 'boolean'})}"
            case "refused":
                raise RequestError("This is not allowed.", param="messages")
            case "fail midway":
                yield "half"
                await asyncio.sleep(0)
                yield events.RunFailed("broken", "It broke.")
            case _:
                try:
                    while True:
                        yield "x"
                        await asyncio.sleep(0.01)
                finally:
                    self.closed.set()


@pytest.fixture(scope="module")
def agent() -> Agent:
    return Agent()


@pytest.fixture(scope="module")
def url(serve_module, agent) -> str:
    return serve_module(agent)


@pytest.fixture(scope="module")
def seen(url, node) -> dict[str, Any]:
    """What ag_ui.mjs saw in its one visit."""
    return node("ag_ui.mjs", url)


@requirement("ag_ui:messages")
@shows("ag_ui", "reasoning")
def test_text_and_reasoning_become_messages(seen):
    assert seen["think"]["failure"] is None
    assert [(m["role"], m["content"]) for m in seen["think"]["messages"]] == [
        ("user", "think"),
        ("reasoning", "let me see"),
        ("assistant", "so it is"),
    ]
    last = seen["think"]["last"]
    assert (last["threadId"], last["runId"], last["outcome"]) == (
        "thread-think",
        "run-think",
        {"type": "success"},
    )
    assert last["usage"] == [{"inputTokens": 10, "outputTokens": 4, "totalTokens": 14}]


@requirement("ag_ui:paths")
def test_both_paths_answer(seen):
    assert seen["otherPath"]["kinds"] == seen["think"]["kinds"]


@requirement("ag_ui:tool:agent")
def test_the_agents_own_tool_comes_with_its_result(seen):
    _, assistant, result, answer = seen["tool"]["messages"]
    assert (assistant["content"], assistant["toolCalls"][0]["function"]) == (
        "I look. ",
        {"name": "lookup", "arguments": '{"q":1}'},
    )
    assert (result["role"], result["toolCallId"], result["content"]) == ("tool", "a1", "found")
    assert answer["content"] == "It is found."
    assert seen["tool"]["last"]["outcome"] == {"type": "success"}  # nothing waits for the client


@requirement("ag_ui:tool:client")
def test_a_clients_tool_is_called_and_its_result_comes_back(seen, agent):
    assert seen["clientTool"]["call"]["function"]["name"] == "pick"
    assert seen["clientTool"]["pending"] == {"type": "success", "pendingToolCallIds": ["c1"]}
    assert seen["clientTool"]["messages"][-1]["content"] == "You picked green."
    first = next(request for request in agent.asked if request.text == "pick")
    assert first.tools[0].parameters == {"type": "object", "properties": {}}


@requirement("ag_ui:state")
def test_state_is_the_same_at_both_ends(seen):
    assert seen["state"]["state"] == {"count": 2}


@requirement("ag_ui:interrupt")
def test_an_interrupt_is_an_outcome(seen):
    outcome = seen["interrupt"]["last"]["outcome"]
    assert outcome["type"] == "interrupt"
    (one,) = outcome["interrupts"]
    assert (one["id"], one["message"], one["responseSchema"]) == ("i1", "Delete it?", {"type": "boolean"})


@pytest.mark.parametrize(("status", "expected"), [("resolved", True), ("cancelled", False)])
@requirement("ag_ui:resume")
def test_an_execution_that_waits_goes_on_with_the_answer(seen, status, expected):
    asked, answered = seen["resumed"][status]
    assert asked["last"]["outcome"]["interrupts"][0]["message"] == "Sure?"
    assert answered["failure"] is None
    assert answered["messages"][-1]["content"] == f"You said {expected}"


@requirement("ag_ui:error:stream")
def test_a_failure_in_the_middle_is_one_error_event_and_the_last(seen):
    kinds = seen["failed"]["kinds"]
    assert kinds.count("RUN_ERROR") == 1
    assert seen["failed"]["last"]["message"] == "It broke."
    assert "RUN_FINISHED" not in kinds


@requirement("ag_ui:error:http")
def test_a_request_that_starts_no_run_is_an_http_error(seen):
    assert seen["refused"]["failure"]["status"] == 400
    assert "This is not allowed." in seen["refused"]["failure"]["message"]


@requirement("ag_ui:abort")
def test_a_client_that_stops_ends_the_run(seen, agent):
    assert "TEXT_MESSAGE_CONTENT" in seen["stopped"]["kinds"]
    assert agent.closed.wait(PATIENCE_S)


def ask(url: str, text: str, **headers: str) -> list[dict[str, Any]]:
    """What Python's types make of the same."""
    given = RunAgentInput(
        thread_id=f"py-{text}",
        run_id="r1",
        messages=[UserMessage(id="1", content=text)],
        protocol_version=None,
    )
    answer = httpx.post(
        f"{url}/ag-ui/agent",
        content=given.model_dump_json(by_alias=True),
        headers={"content-type": "application/json", "accept": "text/event-stream", **headers},
    )
    assert answer.headers["content-type"].startswith("text/event-stream")
    lines = [line.removeprefix("data: ") for line in answer.text.splitlines() if line.startswith("data: ")]
    return [json.loads(line) for line in lines]


@requirement("ag_ui:types")
@seen_by("ag-ui-python")
def test_pythons_types_accept_every_event(url):
    for text in ("think", "look", "state", "ask", "fail midway"):
        for event in ask(url, text):
            TypeAdapter(Event).validate_python(event)


@requirement("ag_ui:version")
@seen_by("httpx")
def test_clients_of_a_version_before_1_get_its_events(url):
    kinds = [event["type"] for event in ask(url, "think", **{"x-ag-ui-version": "0.1"})]
    assert "THINKING_TEXT_MESSAGE_CONTENT" in kinds
    assert not any(kind.startswith("REASONING") for kind in kinds)


@requirement("ag_ui:lost")
@seen_by("httpx")
def test_a_lost_stream_goes_on_where_it_was(url):
    given = {"threadId": "lost", "runId": "r1", "messages": [{"id": "1", "role": "user", "content": "think"}]}
    headers = {"accept": "text/event-stream"}
    whole = httpx.post(f"{url}/ag-ui/agent", json=given, headers=headers).text.split("\n\n")
    number = next(line for line in whole[3].splitlines() if line.startswith("id: ")).removeprefix("id: ")
    rest = httpx.post(f"{url}/ag-ui/agent", json=given, headers={**headers, "last-event-id": number})
    assert rest.text.split("\n\n") == whole[4:]
