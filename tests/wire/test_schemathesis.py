"""Our own OpenAPI document is true: whatever it allows to be sent is answered as it says."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.errors import Unsatisfiable
from patience import PATIENCE_S
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    negative_data_rejection,
    response_schema_conformance,
    status_code_conformance,
)
from wire.clients import shows

from agentrun.protocols.openai_chat.answer import ChatCompletionChunk
from agentrun.server import AgentRequest

CLIENT = "schemathesis"


def answer_conforms(context: Any, response: Any, case: Any) -> bool | None:
    """Schemathesis takes a stream's schema for that of its lines; ours says what is in their data."""
    kind = response.headers["content-type"][0]
    if not kind.startswith("text/event-stream"):
        return response_schema_conformance(context, response, case)
    frames = response.content.decode().removesuffix("\n\n").split("\n\n")
    if case.operation.path.endswith("/chat/completions"):
        assert frames.pop() == "data: [DONE]"
    for frame in frames:
        data = json.loads(frame.rpartition("data: ")[2])
        if case.operation.path.endswith("/chat/completions"):
            msgspec.convert(data, ChatCompletionChunk)
    return None


CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    negative_data_rejection,
    answer_conforms,
]


# served by the same endpoints as others that are tried
_TWINS = ("/openai/v1/", "/anthropic/v1/messages", "/agui/")


async def agent(request: AgentRequest):
    yield "You said: "
    yield request.text


@pytest.mark.parametrize("mode", list(schemathesis.GenerationMode))
@shows("chat", "document")
@shows("responses", "document")
@shows("messages", "document")
@shows("ag_ui", "document")
@shows("a2a", "document")
@shows("mcp", "document")
@shows("aibot", "document")
def test_every_operation_answers_as_the_document_says(serve, mode):
    schema = schemathesis.openapi.from_url(f"{serve(agent)}/openapi.json")
    tried = []
    for found in schema.get_all_operations():
        operation = found.ok()
        if operation.path.startswith(_TWINS):
            continue
        if mode is schemathesis.GenerationMode.NEGATIVE and not operation.body:
            continue  # it takes seconds to find out that there is nothing to get wrong

        @settings(
            max_examples=15 if operation.method == "post" else 4,
            deadline=None,
            database=None,
            derandomize=True,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        @given(case=operation.as_strategy(generation_mode=mode))
        def check(case):
            case.call_and_validate(checks=CHECKS, timeout=PATIENCE_S)

        try:
            check()
        except Unsatisfiable:  # what takes no input cannot be sent a wrong one
            assert mode is schemathesis.GenerationMode.NEGATIVE
            continue
        tried.append(operation.label)
    assert "POST /v1/chat/completions" in tried
    assert mode is schemathesis.GenerationMode.NEGATIVE or "GET /health" in tried
