"""From a framework's object to a callback, and to a served agent."""

import threading
from collections.abc import Iterator
from typing import Any

import pytest
import uvicorn
from langchain.agents import create_agent
from openai import OpenAI
from patience import PATIENCE_S, until

from agentrun.integration import adapt
from agentrun.integration.langchain import model
from agentrun.server import AgentRunServer

pytestmark = pytest.mark.usefixtures("project")


def get_weather(city: str) -> str:
    """Get the weather in a city."""
    return f"sunny in {city}"


@pytest.fixture
def url() -> Iterator[str]:
    agent: Any = create_agent(model("my-model"), tools=[get_weather])
    app = AgentRunServer(invoke_agent=agent).as_fastapi_app()
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_config=None, access_log=False))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    until(lambda: server.started)
    yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}/openai/v1"
    server.should_exit = True
    thread.join(PATIENCE_S)


def test_a_graph_is_served_as_it_is(url: str):
    client = OpenAI(base_url=url, api_key="none")
    messages: Any = [{"role": "user", "content": "What is the weather in Paris?"}]
    whole = client.chat.completions.create(model="agentrun", messages=messages)
    assert whole.choices[0].message.content == "get_weather says: sunny in Paris"
    assert whole.choices[0].finish_reason == "stop" and not whole.choices[0].message.tool_calls
    stream = client.chat.completions.create(model="agentrun", messages=messages, stream=True)
    assert (
        "".join(chunk.choices[0].delta.content or "" for chunk in stream)
        == "get_weather says: sunny in Paris"
    )


class Called:
    def __call__(self, request: object) -> str:
        return "hi"


@pytest.mark.parametrize("plain", [lambda request: "hi", len, Called(), Called().__call__, "text"])
def test_what_is_of_no_framework_is_left_alone(plain: object):
    assert adapt(plain) is None
