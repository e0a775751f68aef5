"""What OpenAI's own types allow to be sent is answered in OpenAI's own types.

OpenAI generates its Python client from its OpenAPI document; the document here is made of that client's types again, so
that it is always the one of the newest client.
"""

from __future__ import annotations

from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from openai.types.chat import ChatCompletion, completion_create_params
from openai.types.responses import Response, response_create_params
from patience import PATIENCE_S
from pydantic import TypeAdapter
from wire.clients import seen_by, shows

from agentrun.server import AgentRequest

# what an agent cannot do, and says so; everything else has to be answered
REFUSED = {
    "empty_array", "invalid_session_id", "invalid_value", "missing_required_parameter", "mutually_exclusive_parameters", "previous_response_not_found",
    "unsupported_value",
}  # fmt: skip
CREATE = {
    "/v1/chat/completions": (
        completion_create_params.CompletionCreateParamsNonStreaming,
        ChatCompletion,
    ),
    "/v1/responses": (response_create_params.ResponseCreateParamsNonStreaming, Response),
}


def document() -> dict[str, Any]:
    schemas: dict[str, Any] = {}
    paths: dict[str, Any] = {}
    for path, (asked, _) in CREATE.items():
        schema = TypeAdapter(asked).json_schema(ref_template="#/components/schemas/{model}")
        schemas |= schema.pop("$defs", {})
        for closed in (schema, *schemas.values()):  # what is not in a type is not allowed by it
            if "properties" in closed:
                closed.setdefault("additionalProperties", False)
        if "input" in schema["properties"]:  # it may be left out for a prompt that is kept at OpenAI
            schema["required"] = ["input"]
        paths[path] = {
            "post": {
                "requestBody": {"required": True, "content": {"application/json": {"schema": schema}}},
                "responses": {"200": {"description": "The answer"}},
            }
        }
    return {
        "openapi": "3.1.0",
        "info": {"title": "OpenAI", "version": "1"},
        "paths": paths,
        "components": {"schemas": schemas},
    }


async def agent(request: AgentRequest):
    yield "You said: "
    yield request.text


@pytest.mark.parametrize("path", list(CREATE))
@seen_by("openai-python")
@shows("chat", "document")
@shows("responses", "document")
def test_whatever_openais_types_allow_is_answered_in_them(serve, path):
    schema = schemathesis.openapi.from_dict(document())
    schema.config.update(base_url=serve(agent))
    statuses: list[int] = []
    answered = CREATE[path][1]

    @settings(
        max_examples=60,
        deadline=None,
        database=None,
        derandomize=True,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=schema[path]["POST"].as_strategy(generation_mode=schemathesis.GenerationMode.POSITIVE))
    def check(case):
        response = case.call(timeout=PATIENCE_S)
        body = response.json()
        statuses.append(response.status_code)
        if response.status_code == 200:
            answered.model_validate(body, strict=True)
        else:
            unknown = response.status_code == 404 and "id" in str(
                body["error"]["param"]
            )  # of an earlier answer
            refused = response.status_code == 400 and body["error"]["code"] in REFUSED
            assert unknown or refused, (body, case.body)

    check()
    assert statuses.count(200) > len(statuses) / 2
