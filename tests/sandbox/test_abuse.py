"""What code in a sandbox tries to get at, as root starts it and as an ordinary user does."""

import ast
import os
import re
from collections.abc import Callable

import pytest

from agentrun.sandbox.backends.bubblewrap import pool

from . import prober
from .conftest import USER, Prober, create
from .possible import impossible
from .probes import PRELUDE, PROBES, Probe


@pytest.mark.parametrize("who", ["root", "user"])
@pytest.mark.parametrize("probe", PROBES, ids=lambda probe: probe.name)
def test_nothing_can_be_had_from_a_sandbox(probers: Callable[[str], Prober], who: str, probe: Probe):
    said = probers(who).ask(prelude=PRELUDE, code=probe.code, limits=probe.limits, timeout_s=probe.timeout_s)
    user = USER if who == "user" and os.geteuid() == 0 else None
    if said.get("code") == "sandbox_unavailable" and (why := impossible(user=user)) is not None:
        pytest.skip(why)
    assert said.get("text") is not None, said
    assert re.fullmatch(probe.wanted, ast.literal_eval(said["text"]), re.DOTALL), said


def test_there_are_enough_probes():
    assert len({probe.name for probe in PROBES}) >= 64


def test_it_holds_as_well_where_namespaces_cannot_be_nested(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(pool, "_flat", True)
    held, broken = 0, []
    with prober.planted() as host, create(limits={"disk_mb": 4, "processes": 64}) as box:
        for probe in PROBES:
            if set(probe.limits) - {"disk_mb"} or probe.name in (
                "setuid_of_its_own",
                "host_user_is_not_root",
            ):
                continue
            # a context each: what one of them does to itself is not the next one's
            context = box.contexts.create()
            context.run(f"HOST = {host!r}\n{PRELUDE}")
            said = context.run(probe.code).text
            context.close()
            if said is not None and re.fullmatch(probe.wanted, ast.literal_eval(said), re.DOTALL):
                held += 1
            else:
                broken.append((probe.name, said))
    assert (held > 80, broken) == (True, [])
