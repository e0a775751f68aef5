"""What code in a sandbox tries to get at, as root starts it and as an ordinary user does."""

import ast
import re
from collections.abc import Callable

import pytest

from .conftest import Prober
from .probes import PRELUDE, PROBES, Probe


@pytest.mark.parametrize("who", ["root", "user"])
@pytest.mark.parametrize("probe", PROBES, ids=lambda probe: probe.name)
def test_nothing_can_be_had_from_a_sandbox(probers: Callable[[str], Prober], who: str, probe: Probe):
    said = probers(who).ask(prelude=PRELUDE, code=probe.code, limits=probe.limits, timeout_s=probe.timeout_s)
    if said.get("code") == "sandbox_unavailable":
        pytest.skip(said["failed"])
    assert said.get("text") is not None, said
    assert re.fullmatch(probe.wanted, ast.literal_eval(said["text"]), re.DOTALL), said


def test_there_are_enough_probes():
    assert len({probe.name for probe in PROBES}) >= 64
