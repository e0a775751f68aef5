"""BotIds: the grammar, and what is said of a refusal."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentrun import config
from agentrun.bot_id import BotId, InvalidBotId, nearest
from agentrun.errors import ConfigError

RULE = re.compile(r"^ibot-[a-z0-9_]+-[a-z0-9_]+\Z")
PARTS = st.text("abcxyz0189_", min_size=1, max_size=40)


@given(PARTS, PARTS)
def test_what_is_made_is_parsed_to_the_same(name: str, tag: str):
    made = BotId.make(name, tag)
    assert BotId.parse(str(made)) == made == BotId(name, tag)
    assert str(made) == f"ibot-{name}-{tag}" and made.service == f"ibot-{name}"


@given(st.one_of(st.text(max_size=120), st.text("ibot-_aZ9/.é\n\0", max_size=30)))
def test_exactly_what_the_rule_allows_is_an_id(text: str):
    try:
        BotId.parse(text)
    except InvalidBotId:
        parts = text.split("-")
        assert not RULE.match(text) or len(parts[1]) > 40 or len(parts[2]) > 64
    else:
        assert RULE.match(text)


@given(st.text(max_size=200), st.one_of(st.none(), st.text(max_size=100)))
def test_the_nearest_id_is_one_and_of_an_id_it_is_itself(text: str, tag: str | None):
    found = nearest(text, tag)
    assert BotId.parse(str(found)) == found
    assert nearest(str(found)) == found


@pytest.mark.parametrize(
    ("text", "reason", "near"),
    [
        ("MyAgent", "has to begin with ibot-", "ibot-myagent-v1"),
        ("ibot-MyAgent-demo", "its name has 'M'", "ibot-myagent-demo"),
        ("ibot-a-b-c", "has 4 parts", "ibot-a_b-c"),
        ("ibot-a-", "its tag is empty", "ibot-a-v1"),
        ("ibot-a-b\n", "its tag has '\\n'", "ibot-a-b"),
        ("ibot-été-1", "its name has 'é'", "ibot-ete-1"),
        ("ibot-客服-1", "its name has '客'", "ibot-agent-1"),
        ("ibot-a-../../etc/passwd", "its tag has '.'", "ibot-a-etc_passwd"),
        ("ibot-a-b' OR 1=1;", 'its tag has "\'"', "ibot-a-b_or_1_1"),
        ("ibot-a\x00-b", "its name has '\\x00'", "ibot-a-b"),
        ("ibot-а-b", "its name has 'а'", "ibot-agent-b"),
        (f"ibot-{'x' * 41}-b", "its name has 41 characters", f"ibot-{'x' * 40}-b"),
    ],
)
def test_a_refusal_says_which_part_and_offers_the_nearest(text: str, reason: str, near: str):
    with pytest.raises(InvalidBotId) as caught:
        BotId.parse(text)
    assert reason in str(caught.value) and f"Did you mean {near}?" in str(caught.value)


def test_a_name_and_a_tag_become_an_id():
    assert str(nearest("MyAgent", "demo")) == "ibot-myagent-demo"


def test_a_long_id_is_not_repeated_whole():
    with pytest.raises(InvalidBotId) as caught:
        BotId.parse("x" * 100_000)
    assert len(str(caught.value)) < 400


def test_the_setting_is_checked_where_it_is_set(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("AGENTRUN_BOT_ID", "Shop")
    with pytest.raises(ConfigError, match="AGENTRUN_BOT_ID in the environment.*Did you mean ibot-shop-v1"):
        config.load()
