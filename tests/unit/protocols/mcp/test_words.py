"""Questions as forms that MCP allows, answers as the agent asked for them, and results that each version's types accept."""

from __future__ import annotations

from typing import Any

import mcp_types as types
import pytest
from hypothesis import given
from hypothesis import strategies as st
from mcp_types import methods

from agentrun.events import InputRequired
from agentrun.protocols.mcp import words

MODERN = words.MODERN[0]
plain = st.sampled_from(["string", "number", "integer", "boolean"]).map(lambda kind: {"type": kind})
schemas = st.none() | st.recursive(
    plain,
    lambda inner: (
        st.dictionaries(st.text(max_size=3), inner, max_size=3).map(
            lambda fields: {"type": "object", "properties": fields}
        )
        | inner.map(lambda item: {"type": "array", "items": item})
    ),
)


@given(
    st.lists(st.builds(InputRequired, st.text(), st.text(max_size=2), schema=schemas), min_size=1, max_size=3)
)
def test_every_question_is_a_form_that_the_types_accept(asked: list[Any]):
    result = words.input_required(asked, "run_1")
    types.InputRequiredResult.model_validate(result)
    methods.validate_server_result("tools/call", MODERN, result)
    for one in asked:
        types.ElicitRequestFormParams.model_validate(words.elicitation(one))


@pytest.mark.parametrize(
    ("schema", "content", "answer"),
    [
        (None, {"answer": "yes"}, "yes"),
        ({"type": "boolean"}, {"answer": True}, True),
        ({"type": "object", "properties": {"n": {"type": "integer"}}}, {"n": 1}, {"n": 1}),
        ({"type": "object", "properties": {"answer": {"type": "string"}}}, {"answer": "x"}, {"answer": "x"}),
        ({"type": "object", "properties": {"deep": {"type": "object"}}}, {"answer": "text"}, "text"),
        ({"type": "boolean"}, {}, None),
    ],
)
def test_an_answer_is_what_was_asked_for(schema: Any, content: dict[str, Any], answer: Any):
    assert words.answer_of(schema, content) == answer


@pytest.mark.parametrize("version", [*words.HANDSHAKE, MODERN])
def test_results_are_those_of_the_version(version: str):
    said = words.Words("My Agent!")
    assert list(said.bots) == ["ask_my_agent"]
    methods.validate_server_result("tools/list", version, said.tools(modern=version == MODERN))
    methods.validate_server_result("tools/call", version, words.called("hi", run_id="run_1"))
    if version == MODERN:
        methods.validate_server_result("server/discover", version, said.discovered())
    else:
        methods.validate_server_result("initialize", version, said.initialized(version))


@pytest.mark.parametrize(
    ("name", "tool"),
    [("", "ask_agent"), ("漢字", "ask_agent"), ("a/b.c", "ask_a_b_c"), ("GPT-4", "ask_gpt_4")],
)
def test_a_tools_name_is_one_that_models_accept(name: str, tool: str):
    assert list(words.Words(name).bots) == [tool]
