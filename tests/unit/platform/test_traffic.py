"""Which version serves a request: exact in the long run, and the same one for a session."""

from __future__ import annotations

from math import sqrt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentrun.errors import NotFound
from agentrun.platform.traffic import Route, Routes, Share, choose, problem, shares, table
from agentrun.resources import Canary, Definition, Endpoint, Rollout, Testers, Version

DEFINITION = Definition(command=("true",))


def endpoint(name: str, version: int | None = None, weight: float | None = None, **more: object) -> Endpoint:
    return Endpoint("shop", name, f"ep-{name}", 1.0, 1.0, version=version, weight=weight, **more)


def versions(*numbers: int) -> list[Version]:
    return [Version("shop", number, str(number), 1.0, DEFINITION) for number in numbers]


def routes(*endpoints: Endpoint, rollout: Rollout | None = None, numbers: tuple[int, ...] = (1, 2)) -> Routes:
    found = Routes()
    found.replace(table(endpoints, versions(*numbers), [rollout] if rollout else []))
    return found


def pick(
    route: Route, key: str = "k", headers: dict[str, str] | None = None, query: dict[str, str] | None = None
):
    return choose(route, key=key, headers=headers or {}, query=query or {})


def test_ten_percent_of_ten_thousand_sessions_is_ten_percent():
    route = Route("shop", "production", (Share(1, 0.9), Share(2, 0.1)))
    new = sum(pick(route, f"session-{n}") == 2 for n in range(10_000))
    assert abs(new - 1000) < 4 * sqrt(10_000 * 0.1 * 0.9)


@given(st.text(), st.floats(0, 1), st.floats(0, 1))
def test_a_session_turns_to_the_new_version_once_and_stays_as_its_share_grows(
    key: str, one: float, two: float
):
    less, more = sorted((one, two))
    before, after = (pick(Route("shop", "e", shares(1, [(2, weight)])), key) for weight in (less, more))
    assert (before, after) != (2, 1)


@given(st.lists(st.tuples(st.integers(1, 9), st.floats(0, 0.1)), max_size=9), st.integers(1, 9), st.text())
def test_shares_add_up_to_one_and_only_they_are_chosen(parts: list[tuple[int, float]], own: int, key: str):
    found = shares(own, parts)
    assert sum(share.weight for share in found) == pytest.approx(1)
    assert [share.version for share in found] == sorted({share.version for share in found})
    assert pick(Route("shop", "e", found), key) in {share.version for share in found}


def test_a_weighted_endpoint_takes_its_share_of_the_owner_and_gives_its_own_version_at_its_own_address():
    found = routes(endpoint("production", 1), endpoint("canary", 2, 0.2), endpoint("prod-v2", 2))
    assert found.find("shop", "production").shares == (Share(1, 0.8), Share(2, 0.2))
    assert found.find("shop", "canary").shares == (Share(2, 1.0),)
    assert found.find("shop", "prod-v2").shares == (Share(2, 1.0),)
    assert found.of_runtime("shop") == found.find("shop", "production")
    assert found.of_version("shop", 1).shares == (Share(1, 1.0),)
    assert found.find("shop", "other") is None


def test_latest_is_the_newest_version():
    assert routes(endpoint("production")).find("shop", "production").shares == (Share(2, 1.0),)


def test_a_canary_version_of_one_endpoint_splits_that_address_only():
    found = routes(endpoint("production", 1), endpoint("beta", 1, canary=Canary(2, 0.25)))
    assert found.find("shop", "beta").shares == (Share(1, 0.75), Share(2, 0.25))
    assert found.find("shop", "production").shares == (Share(1, 1.0),)


def test_without_an_owner_the_runtime_s_address_shares_among_the_weights():
    found = routes(endpoint("a", 1, 0.5), endpoint("b", 2, 0.5))
    assert found.of_runtime("shop").shares == (Share(1, 0.5), Share(2, 0.5))


def test_testers_reach_the_new_version_at_zero_percent():
    testers = Testers(open_ids=("o1",), parameter="v", value="test")
    rollout = Rollout("shop", "r", 1, 2, "testing", testers=testers)
    route = routes(endpoint("production"), rollout=rollout).find("shop", "production")
    assert pick(route) == 1
    assert pick(route, headers={"x-wx-openid": "o1"}) == 2
    assert pick(route, headers={"x-wx-openid": "o2"}) == 1
    assert pick(route, query={"v": "test"}) == 2
    assert pick(route, query={"v": "x"}) == 1


def test_a_request_can_ask_for_a_version_and_is_told_which_there_are():
    route = routes(endpoint("production", 1)).find("shop", "production")
    assert pick(route, headers={"x-agentrun-version": "2"}) == 2
    assert pick(route, query={"agentrun-version": "2"}) == 2
    with pytest.raises(NotFound, match=r"no version '7'. There are: 1, 2."):
        pick(route, headers={"x-agentrun-version": "7"})


@pytest.mark.parametrize(
    ("endpoints", "said"),
    [
        ([endpoint("p"), endpoint("c", 2, 1.5)], "between 0 and 1"),
        ([endpoint("p"), endpoint("c", 2, -0.1)], "between 0 and 1"),
        ([endpoint("p", canary=Canary(2, 2))], "between 0 and 1"),
        ([endpoint("p"), endpoint("c", 2, 0.6), endpoint("d", 1, 0.6)], "add up to 1.2"),
        ([endpoint("c", 2, 0.6)], "Nobody is left"),
    ],
)
def test_weights_that_cannot_be_are_refused(endpoints: list[Endpoint], said: str):
    assert said in (problem(endpoints) or "")


@pytest.mark.parametrize(
    "endpoints",
    [
        [],
        [endpoint("p"), endpoint("c", 2, 1.0)],
        [endpoint("a", 1, 0.1), endpoint("b", 2, 0.2), endpoint("c", 2, 0.7)],
    ],
)
def test_weights_that_add_up_are_taken(endpoints: list[Endpoint]):
    assert problem(endpoints) is None
