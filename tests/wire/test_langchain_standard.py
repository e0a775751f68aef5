"""langchain-tests, the standard that LangChain's own integrations are held to, with ChatOpenAI and an agent behind our server.

The agent stands in for a model: it calls the tools that it is offered, and fills in the formats that it is asked for.
What it is asked by images, sound or documents is not tested here: it cannot look at them.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

import pytest
from langchain_core.language_models import BaseChatModel
from langchain_openai import ChatOpenAI
from langchain_tests.integration_tests import ChatModelIntegrationTests
from wire.clients import seen_by, shows

from agentrun import events
from agentrun.server import AgentRequest


def filled(schema: dict[str, Any], said: str, name: str = "") -> Any:
    """A value that fits a JSON schema, of what was said where it finds a number or a quotation there."""
    if "anyOf" in schema:
        return filled(schema["anyOf"][0], said, name)
    match schema.get("type"):
        case "object":
            return {key: filled(value, said, key) for key, value in schema.get("properties", {}).items()}
        case "integer" | "number":
            return next((int(number) for number in re.findall(r"\d+", said)), 1)
        case "array":
            return [filled(schema.get("items", {}), said)]
        case _:
            quoted = re.search(r"'([^']+)'", said)
            return schema.get("enum", [quoted.group(1) if quoted else f"some {name}"])[0]


def chosen(request: AgentRequest) -> list[Any]:
    """The tools to call: none after a result, the one that has to be called, or the first."""
    if request.messages[-1].role == "tool" or request.tool_choice == "none":
        return []
    choice = request.tool_choice if isinstance(request.tool_choice, dict) else {}
    named = choice.get("function", choice).get("name")
    return [tool for tool in request.tools if named in (None, tool.name)][:1]


async def model(request: AgentRequest):
    """Does what a model would do."""
    called = chosen(request)
    form = request.extra.get("response_format") or {}
    for number, tool in enumerate(called):
        given = filled(tool.parameters or {}, request.text)
        yield events.tool_call(tool.name, given, call_id=f"c{number}-{len(request.messages)}")
    if not called and form:
        schema = form.get("json_schema", {}).get("schema") or _JOKE
        yield json.dumps(filled(schema, request.text))
    elif not called:
        for word in ("You ", "said: ", request.text):
            yield word
    yield events.Usage(10, 5)


_JOKE = {"type": "object", "properties": {"setup": {"type": "string"}, "punchline": {"type": "string"}}}


class Standard(ChatModelIntegrationTests):
    """Every standard test that a model without eyes and ears can take."""

    pytestmark = [
        pytest.mark.filterwarnings("ignore:Pydantic serializer warnings:UserWarning"),
        pytest.mark.filterwarnings("ignore:Received a Pydantic BaseModel V1 schema:UserWarning"),
    ]
    supports_json_mode = True
    model_override_value = "another"

    @pytest.fixture(autouse=True)
    def served(self, serve) -> None:
        """A server for each test, since ChatOpenAI keeps connections, which belong to a test's loop, by their URL."""
        self.url = serve(model)

    @pytest.fixture
    def benchmark(self) -> Callable[[Callable[[], None]], None]:
        return lambda work: work()

    @pytest.fixture
    def vcr(self) -> None:
        """Nothing is recorded: the server is there."""

    @property
    def chat_model_class(self) -> type[BaseChatModel]:
        return ChatOpenAI

    @property
    def chat_model_params(self) -> dict[str, Any]:
        return {
            "model": "m",
            "base_url": f"{self.url}/openai/v1",
            "api_key": "none",
            "stream_usage": True,
            "max_retries": 0,
        }


@seen_by("langchain-tests")
@shows("chat", "text", "stream", "tools", "structured", "usage")
class TestChat(Standard):
    """Over chat completions."""


@seen_by("langchain-tests")
@shows("responses", "text", "stream", "tools", "structured", "usage")
class TestResponses(Standard):
    """Over Responses."""

    @property
    def chat_model_params(self) -> dict[str, Any]:
        return {**super().chat_model_params, "use_responses_api": True}
