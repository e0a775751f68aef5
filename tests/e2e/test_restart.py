"""Agents that wait for a human, and answers that are kept, over the death of their server."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import openai
import pytest
from e2e.conftest import PATIENCE_S, announced, clean_environment
from e2e.waiting import WIRES, Refused

pytestmark = pytest.mark.anyio

SERVE = "AgentRunServer(invoke_agent=agent, bot_id='ibot-demo-v1', port=0).start()\n"
GRAPH = """
from langchain_core.messages import AIMessage
from langgraph.graph import END, START, MessagesState, StateGraph
from langgraph.types import interrupt
from agentrun import AgentRunServer
from agentrun.integration.langgraph_checkpoint import Checkpointer

def book(state: MessagesState):
    return {"messages": [AIMessage(f"Booked for {interrupt('For how many?')}.")]}

graph = StateGraph(MessagesState).add_node("book", book).add_edge(START, "book").add_edge("book", END)
agent = graph.compile(checkpointer=Checkpointer())
"""
COROUTINE = """
from agentrun import AgentRequest, AgentRunServer

async def agent(request: AgentRequest):
    if request.text == "Book a table":
        yield f"Booked for {await request.ask('For how many?', schema=int)}."
    else:
        yield f"You said: {request.text}"

"""


class Life:
    """One process that serves the program of a folder."""

    def __init__(self, folder: Path) -> None:
        log = folder / f"{len(list(folder.glob('*.log')))}.log"
        env = {**clean_environment(LOG_LEVEL="info"), "AGENTRUN_SESSIONS": "sqlite"}
        with log.open("wb") as output:
            self.process = subprocess.Popen(
                [sys.executable, "app.py"], cwd=folder, env=env, stdout=output, stderr=output
            )
        self.url = announced(log, self.process)

    def kill(self) -> None:
        self.process.send_signal(signal.SIGKILL)
        self.process.wait(PATIENCE_S)


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    return "asyncio"


class Second:
    """The server's second life, and what each wire's client remembers of the first."""

    def __init__(self, url: str, remembered: dict[str, Any]) -> None:
        self.url = url
        self.remembered = remembered

    async def answer(self, wire: str) -> str:
        return await WIRES[wire].answer(self.url, self.remembered[wire])


async def lives(folder: Path, program: str) -> AsyncIterator[Second]:
    """Every wire's client asks; the server is killed while the agent waits for all of them."""
    (folder / "app.py").write_text(program + SERVE, "utf-8")
    first = Life(folder)
    try:
        remembered = {name: await wire.ask(first.url) for name, wire in WIRES.items()}
    finally:
        first.kill()
    second = Life(folder)
    try:
        yield Second(second.url, remembered)
    finally:
        second.kill()


@pytest.fixture(scope="module")
async def graph(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Second]:
    async for second in lives(tmp_path_factory.mktemp("graph"), GRAPH):
        yield second


@pytest.fixture(scope="module")
async def coroutine(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Second]:
    async for second in lives(tmp_path_factory.mktemp("coroutine"), COROUTINE):
        yield second


@pytest.mark.parametrize("wire", WIRES)
async def test_a_graph_that_waits_goes_on_with_the_answer(graph: Second, wire: str):
    assert await graph.answer(wire) == "Booked for 4."


@pytest.mark.parametrize("wire", WIRES)
async def test_who_answers_a_coroutine_is_told_that_it_is_gone(coroutine: Second, wire: str):
    with pytest.raises(Refused) as refused:
        await coroutine.answer(wire)
    words = str(refused.value)
    assert "not open any more" in words and "the server has restarted" in words
    assert "Ask the agent again" in words


async def test_what_the_openai_client_knows_by_ids_outlives_a_kill(tmp_path: Path):
    (tmp_path / "app.py").write_text(COROUTINE + SERVE, "utf-8")
    first = Life(tmp_path)
    with openai.OpenAI(base_url=f"{first.url}/openai/v1", api_key="none") as client:
        talk = client.conversations.create(metadata={"topic": "demo"})
        one = client.responses.create(model="m", input="one", conversation=talk.id)
        two = client.responses.create(model="m", input="two", previous_response_id=one.id)
        client.conversations.items.create(talk.id, items=[{"role": "user", "content": "added"}])
    first.kill()
    second = Life(tmp_path)
    try:
        with openai.OpenAI(base_url=f"{second.url}/openai/v1", api_key="none") as client:
            assert client.responses.retrieve(two.id).output_text == "You said: two"
            with client.responses.retrieve(two.id, stream=True) as events:
                *_, last = events
            assert last.type == "response.completed" and last.response.output_text == "You said: two"
            (asked,) = client.responses.input_items.list(two.id)
            assert asked.content[0].text == "two"
            assert client.conversations.retrieve(talk.id) == talk
            said = [item.content[0].text for item in client.conversations.items.list(talk.id, order="asc")]
            assert said == ["one", "You said: one", "two", "You said: two", "added"]
            three = client.responses.create(model="m", input="three", previous_response_id=two.id)
            assert three.previous_response_id == two.id
            four = client.responses.create(model="m", input="four", conversation=talk.id)
            heard = client.responses.input_items.list(four.id, order="asc")
            assert [item.content[0].text for item in heard] == ["added", "four"]
            client.responses.delete(two.id)
            with pytest.raises(openai.NotFoundError):
                client.responses.retrieve(two.id)
            client.conversations.delete(talk.id)
            with pytest.raises(openai.NotFoundError):
                client.conversations.retrieve(talk.id)
    finally:
        second.kill()
