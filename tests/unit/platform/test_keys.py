"""What a key opens, and how often."""

from __future__ import annotations

import pytest

from agentrun.errors import PermissionDenied, RateLimited, Unauthorized
from agentrun.platform.guard import of_callers
from agentrun.platform.keys import Keys, hash_of, new_text
from agentrun.resources import Key

from .conftest import Clock


def keys(clock: Clock, *known: Key) -> Keys:
    found = Keys(clock)
    found.replace((hash_of(key.name), key) for key in known)
    return found


def test_texts_are_long_and_never_the_same():
    assert len({new_text() for _ in range(100)}) == 100
    assert len(new_text()) > 40


def test_a_rate_fills_evenly_and_says_when_to_come_back(clock: Clock):
    found = keys(clock, Key("1", "k", ("invoke",), 1.0, per_minute=2))
    for _ in range(2):
        found.check("k", "invoke")
    with pytest.raises(RateLimited) as error:
        found.check("k", "invoke")
    assert error.value.headers == {"retry-after": "31"}
    clock.now += 31
    found.check("k", "invoke")


def test_an_unknown_key_a_missing_one_and_one_without_the_scope(clock: Clock):
    found = keys(clock, Key("1", "k", ("read",), 1.0, runtimes=("shop",)))
    for text in (None, "", "K"):
        with pytest.raises(Unauthorized):
            found.check(text, "read", "shop")
    with pytest.raises(PermissionDenied, match="may not invoke; it may read"):
        found.check("k", "invoke", "shop")
    with pytest.raises(PermissionDenied, match="for shop only"):
        found.check("k", "read", "other")
    assert found.check("k", "read", "shop").name == found.check("k", "read", "").name == "k"


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "::1"])
def test_on_loopback_anyone_calls_and_only_a_trusted_key_is_believed(clock: Clock, host: str):
    found = keys(clock, Key("1", "k", ("invoke",), 1.0), Key("2", "wx", ("invoke",), 1.0, trusted=True))
    admit = of_callers(found, host)
    assert [admit(text, "shop").trusted for text in (None, "none", "k", "wx")] == [False, False, False, True]


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "example.org"])
def test_elsewhere_a_caller_needs_a_key(clock: Clock, host: str):
    admit = of_callers(keys(clock, Key("1", "k", ("invoke",), 1.0)), host)
    assert admit("k", "shop").name == "k"
    for text in (None, "none"):
        with pytest.raises(Unauthorized):
            admit(text, "shop")
