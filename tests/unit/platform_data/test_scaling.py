"""How many instances: pure decisions."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentrun.platform.instances.answers import Answers
from agentrun.platform.instances.scaling import Load, pause_s, surplus, wanted
from agentrun.resources import Scale


@pytest.mark.parametrize(
    ("scale", "load", "running", "expected"),
    [
        (Scale(), Load(per_instance=10), 0, 0),
        (Scale(), Load(queued=1, per_instance=10), 0, 1),
        (Scale(), Load(busy=10, per_instance=10), 1, 1),
        (Scale(), Load(busy=10, queued=1, per_instance=10), 1, 2),
        (Scale(min=2), Load(per_instance=10), 0, 2),
        (Scale(max=3), Load(busy=99, per_instance=1), 3, 3),
        (Scale(), Load(busy=1, per_instance=10, cpu=0.9), 1, 2),
        (Scale(), Load(busy=1, per_instance=10, cpu=0.9), 4, 5),
        (Scale(), Load(busy=1, per_instance=10, memory=0.61), 2, 3),
        (Scale(), Load(busy=0, per_instance=10, cpu=0.9), 2, 0),
        (Scale(cpu_target=0), Load(busy=1, per_instance=10, cpu=5), 1, 1),
    ],
)
def test_how_many_are_wanted(scale, load, running, expected):
    assert wanted(scale, load, running) == expected


@given(
    st.integers(0, 5), st.integers(0, 10), st.integers(0, 1000), st.integers(0, 1000), st.integers(1, 50),
    st.floats(0, 10), st.integers(0, 20),
)  # fmt: skip
def test_never_outside_its_bounds_and_never_too_few(low, more, busy, queued, each, cpu, running):
    scale = Scale(min=low, max=low + more)
    found = wanted(scale, Load(busy, queued, each, cpu), running)
    assert low <= found <= low + more
    assert found * each >= busy + queued or found == scale.max


def test_only_what_has_been_idle_for_long_ends_and_only_what_is_not_needed():
    scale = Scale(idle_s=10)
    assert surplus([12, 11, 3], scale, 4, 0) == 2
    assert surplus([12, 11, 3], scale, 4, 3) == 1
    assert surplus([12], scale, 1, 1) == 0


def test_the_pause_after_failures_grows_and_has_an_end():
    assert [pause_s(number) for number in (0, 1, 2, 3, 4, 5, 8, 50)] == [0, 0, 1, 2, 4, 8, 60, 60]


@given(st.lists(st.floats(0.001, 100), min_size=1, max_size=50))
def test_figures_are_right_within_a_quarter(seconds):
    answers = Answers()
    for one in seconds:
        answers.add(one, failed=one > 50)
    figures = answers.figures(60)
    ordered = sorted(one * 1000 for one in seconds)
    middle = ordered[(len(ordered) + 1) // 2 - 1]
    assert middle * 0.99 <= figures.p50_ms <= max(middle, 1) * 1.26
    assert figures.errors == sum(one > 50 for one in seconds)
