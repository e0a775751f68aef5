"""A gray release takes its steps in order, and ends by itself when the new version is bad."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from agentrun.errors import AgentRunError, Conflict, RequestError
from agentrun.platform import rollout
from agentrun.resources import Rollout, Testers

BY = {"by": "me", "at": 2.0}
TESTERS = Testers(open_ids=("o1",))

Act = Callable[[Rollout], Rollout]
ACTIONS: dict[str, Act] = {
    "test": lambda release: rollout.test(release, TESTERS, **BY),
    "percent": lambda release: rollout.percent(release, min(release.percent + 50, 100), **BY),
    "finalize": lambda release: rollout.finalize(release, **BY),
    "rollback": lambda release: rollout.roll_back(release, why="bad", **BY),
}


def begun(*steps: str) -> Rollout:
    release = rollout.start("shop", 1, 2, id="r", by="me", at=1.0)
    for step in steps:
        release = ACTIONS[step](release)
    return release


def test_a_whole_release_is_recorded_with_who_and_when():
    release = begun("test", "percent", "percent", "finalize")
    assert (release.state, release.percent) == ("finalized", 100)
    assert [step.action for step in release.steps] == ["start", "test", "percent", "percent", "finalize"]
    assert {step.by for step in release.steps} == {"me"}


@pytest.mark.parametrize(
    ("steps", "action", "said"),
    [
        ([], "percent", "percent is out of order.*Next is: agentrun release test"),
        ([], "finalize", "finalize is out of order"),
        (["test"], "finalize", "Next is: agentrun release percent"),
        (["test", "percent"], "test", "test is out of order"),
        (["test", "percent"], "finalize", "has 50 %.*percent 100"),
        (["test", "percent", "percent"], "percent", "goes up"),
        (["test", "percent", "percent", "finalize"], "rollback", "is over"),
        (["rollback"], "test", r"is over \(rolled_back\)"),
    ],
)
def test_a_step_out_of_order_is_refused_with_the_next_one(steps: list[str], action: str, said: str):
    with pytest.raises(Conflict) as error:
        ACTIONS[action](begun(*steps))
    import re

    assert re.search(said, str(error.value))


@pytest.mark.parametrize("steps", [[], ["test"], ["test", "percent"], ["test", "percent", "percent"]])
def test_it_can_be_rolled_back_at_any_step(steps: list[str]):
    release = begun(*steps, "rollback")
    assert (release.state, release.percent, release.steps[-1].detail) == ("rolled_back", 0, "bad")


@pytest.mark.parametrize("value", [0, -1, 101])
def test_a_percentage_is_above_0_and_up_to_100(value: float):
    with pytest.raises(RequestError):
        rollout.percent(begun("test"), value, **BY)


def test_a_test_names_who_tests():
    with pytest.raises(AgentRunError, match="Nobody is named"):
        rollout.test(begun(), Testers(), **BY)


@pytest.mark.parametrize(
    ("requests", "errors", "p95_ms", "bad"),
    [(19, 19, 0, False), (100, 5, 0, False), (100, 6, 0, True), (100, 0, 999, False), (100, 0, 1001, True)],
)
def test_errors_and_latency_decide_once_there_are_enough(
    requests: int, errors: int, p95_ms: float, bad: bool
):
    release = rollout.start("shop", 1, 2, id="r", max_latency_ms=1000, **BY)
    assert (rollout.verdict(release, requests=requests, errors=errors, p95_ms=p95_ms) is not None) == bad
