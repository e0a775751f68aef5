"""A gray release: deploy, test, percent, finalize, or back. Pure: each step gives the next state, or refuses."""

from __future__ import annotations

import msgspec

from agentrun.errors import Conflict, RequestError
from agentrun.resources import Rollout, Step, Testers

# fewer answers than these say nothing about a rate
FEWEST = 20
RUNNING = ("deployed", "testing", "gray")


def is_running(rollout: Rollout | None) -> bool:
    """Whether a release is between its start and its end."""
    return rollout is not None and rollout.state in RUNNING


def start(
    runtime: str,
    old: int,
    new: int,
    *,
    id: str,
    by: str,
    at: float,
    max_error_rate: float = 0.05,
    max_latency_ms: float | None = None,
) -> Rollout:
    """The new version is there, and nobody reaches it yet but by its own address."""
    if not 0 < max_error_rate <= 1:
        raise RequestError(
            f"The error rate {max_error_rate:g} is no share.", hint="Give one above 0 and up to 1: 0.05."
        )
    step = Step("start", by, at, f"version {new} over {old}")
    return Rollout(
        runtime, id, old, new, max_error_rate=max_error_rate, max_latency_ms=max_latency_ms, steps=(step,)
    )


def test(rollout: Rollout, testers: Testers, *, by: str, at: float) -> Rollout:
    """Let testers reach the new version, and only them."""
    _refuse_unless(rollout, "test", ("deployed", "testing"))
    if not testers.open_ids and testers.parameter is None:
        raise RequestError(
            "Nobody is named who tests.",
            hint="Give --open-id ID (may be repeated) or --parameter name=value.",
        )
    who = [*testers.open_ids, *([f"?{testers.parameter}={testers.value}"] if testers.parameter else [])]
    return _stepped(rollout, Step("test", by, at, ", ".join(who)), state="testing", testers=testers)


def percent(rollout: Rollout, value: float, *, by: str, at: float) -> Rollout:
    """Give the new version this share of the traffic."""
    _refuse_unless(rollout, "percent", ("testing", "gray"))
    if not 0 < value <= 100:
        raise RequestError(f"{value:g} is no percentage.", hint="Give one above 0 and up to 100.")
    if value <= rollout.percent:
        raise Conflict(
            f"Version {rollout.new} has {rollout.percent:g} % already; a release only goes up.",
            hint="To go back, run: agentrun release rollback",
        )
    return _stepped(rollout, Step("percent", by, at, f"{value:g} %"), state="gray", percent=value)


def finalize(rollout: Rollout, *, by: str, at: float) -> Rollout:
    """The new version has it all; the release is over."""
    _refuse_unless(rollout, "finalize", ("gray",))
    if rollout.percent < 100:
        raise Conflict(
            f"Version {rollout.new} has {rollout.percent:g} % of the traffic; it has to have all of it first.",
            hint="Run: agentrun release percent 100",
        )
    return _stepped(rollout, Step("finalize", by, at), state="finalized")


def roll_back(rollout: Rollout, *, by: str, at: float, why: str = "") -> Rollout:
    """The old version has it all again; the release is over."""
    _refuse_unless(rollout, "rollback", RUNNING)
    return _stepped(rollout, Step("rollback", by, at, why), state="rolled_back", percent=0.0)


def verdict(rollout: Rollout, *, requests: int, errors: int, p95_ms: float) -> str | None:
    """Why the new version has to go, by how it answered; none if it may stay."""
    if requests < FEWEST:
        return None
    rate = errors / requests
    if rate > rollout.max_error_rate:
        return f"{errors} of {requests} answers failed ({rate:.1%}; {rollout.max_error_rate:.1%} may)"
    if rollout.max_latency_ms is not None and p95_ms > rollout.max_latency_ms:
        return (
            f"one answer of twenty took {p95_ms:.0f} ms or more ({rollout.max_latency_ms:.0f} ms is the most)"
        )
    return None


def _refuse_unless(rollout: Rollout, action: str, states: tuple[str, ...]) -> None:
    if rollout.state not in RUNNING:
        raise Conflict(
            f"The last release of {rollout.runtime} is over ({rollout.state}).",
            hint="Run: agentrun release start",
        )
    if rollout.state not in states:
        order = {"deployed": "test", "testing": "percent", "gray": "percent or finalize"}
        raise Conflict(
            f"{action} is out of order: the release of version {rollout.new} is {rollout.state}.",
            hint=f"Next is: agentrun release {order[rollout.state]}",
        )


def _stepped(rollout: Rollout, step: Step, **changes: object) -> Rollout:
    return msgspec.structs.replace(rollout, steps=(*rollout.steps, step), **changes)
