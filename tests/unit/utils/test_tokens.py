"""The estimate of tokens."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentrun.utils.tokens import estimate


@pytest.mark.parametrize(
    ("text", "tokens"), [("", 0), ("a", 1), ("abcd", 1), ("abcde", 2), ("é", 1), ("你好", 2), ("hi 你好", 3)]
)
def test_estimates(text, tokens):
    assert estimate(text) == tokens


@given(st.text(), st.text())
def test_more_text_is_not_fewer_tokens(text, more):
    assert estimate(text) <= estimate(text + more) <= estimate(text) + estimate(more)
    assert (estimate(text) == 0) == (not text)
    assert estimate(text) <= len(text)
