"""What LangChain users write, beyond agents."""

import json
import subprocess
import sys
from typing import Any

import pytest
from fake_upstream import Answer, FakeUpstream
from langchain_core.messages import AIMessage, HumanMessage, ToolMessage
from langchain_core.output_parsers import StrOutputParser
from langchain_core.prompts import ChatPromptTemplate
from langchain_core.runnables import RunnableLambda
from patience import PATIENCE_S
from pydantic import BaseModel
from run_agent import events_of, outline

from agentrun.integration.langchain import model
from agentrun.models import resolve

pytestmark = pytest.mark.usefixtures("project")


class Trip(BaseModel):
    city: str
    days: int


async def test_a_chain_of_prompt_model_and_parser_is_an_agent():
    chain = ChatPromptTemplate.from_template("Say: {question}") | model("builtin") | StrOutputParser()
    assert outline(await events_of(chain, "ahoy")) == [("text", "ahoy")]


async def test_a_prompt_may_want_the_conversation():
    prompt = ChatPromptTemplate.from_messages([("system", "be brief"), ("placeholder", "{messages}")])
    events = await events_of(prompt | model("builtin"), "My name is Ada", "Hello Ada", "What is my name?")
    assert outline(events) == [("text", "Your name is Ada.")]


async def test_a_model_alone_is_an_agent():
    assert outline(await events_of(model("builtin"), "thanks")) == [("text", "You are welcome.")]


async def test_a_function_of_the_conversation_is_an_agent():
    counts = RunnableLambda(lambda messages: f"{len(messages)} messages")  # type: ignore[arg-type]
    assert outline(await events_of(counts, "a", "b", "c")) == [("text", "3 messages")]


# langchain-openai dumps the parsed answer with a model that does not know its type
@pytest.mark.filterwarnings("ignore:Pydantic serializer warnings")
async def test_a_structured_answer_is_its_json():
    events = await events_of(model("builtin").with_structured_output(Trip), "3 days in Rome")
    assert json.loads(outline(events)[0][1]) == {"city": "Rome", "days": 3}


def test_options_of_the_framework_and_another_model_of_the_same_provider(
    upstream: FakeUpstream, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("AGENTRUN_MODEL_M", json.dumps({"base_url": upstream.url, "model": "small"}))
    assert model("m", model="large", temperature=0.3, seed=1).invoke("hi").content == "hello"
    [asked] = upstream.asked
    assert (asked["model"], asked["temperature"], asked["seed"]) == ("large", 0.3, 1)


async def test_reasoning_comes_out_whole_and_in_pieces(upstream: FakeUpstream):
    upstream.then = Answer(deltas=[{"reasoning_content": "hm"}, {"content": "yes"}])
    chat = model(resolve("m", base_url=upstream.url, model="x"))
    whole = await chat.ainvoke("hi")
    assert (whole.additional_kwargs["reasoning_content"], whole.content) == ("hm", "yes")
    pieces = [chunk.additional_kwargs.get("reasoning_content") async for chunk in chat.astream("hi")]
    assert [piece for piece in pieces if piece] == ["hm"]


def test_thoughts_go_back_within_a_turn_and_not_after_it(upstream: FakeUpstream):
    call: Any = {"name": "f", "args": {}, "id": "c1", "type": "tool_call"}
    thought = AIMessage("", tool_calls=[call], additional_kwargs={"reasoning_content": "hm"})
    chat = model(resolve("m", base_url=upstream.url, model="x"))
    chat.invoke([HumanMessage("q"), thought, ToolMessage("r", tool_call_id="c1")])
    chat.invoke(
        [HumanMessage("q"), thought, ToolMessage("r", tool_call_id="c1"), AIMessage("a"), HumanMessage("b")]
    )
    first, second = (asked["messages"] for asked in upstream.asked)
    assert first[1]["reasoning_content"] == "hm"
    assert "reasoning_content" not in second[1]


def test_images_reach_the_model(upstream: FakeUpstream):
    image = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}
    content: Any = [{"type": "text", "text": "look"}, image]
    model(resolve("m", base_url=upstream.url, model="x")).invoke([HumanMessage(content)])
    assert upstream.asked[0]["messages"][0]["content"] == content


def test_importing_it_loads_no_other_framework():
    script = "import agentrun.integration.langchain, sys; print(*sys.modules)"
    run = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, encoding="utf-8", timeout=PATIENCE_S
    )
    assert run.returncode == 0, run.stderr
    assert not {"langgraph", "agents", "fastapi", "uvicorn"} & set(run.stdout.split())
