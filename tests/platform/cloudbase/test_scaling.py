"""How many instances a service has: as its requests, its processor and its memory ask for, and how long they stay."""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from patience import until

from .conftest import Desk, get
from .programs import python
from .rows import row

_numbers = itertools.count(1)
S_YAML = """
resources:
  one:
    component: agentrun
    props:
      agent:
        name: NAME
        code: {src: ., language: python3.11, command: [python3, app.py]}
        cpu: 0.2
        memory: 256
        scale: {min: MIN, max: 3, idle: 1, keep: KEEP}
        instanceConcurrency: 10
"""


def deployed(desk: Desk, name: str, word: str = "one", *, least: int = 0, keep: int = 120) -> str:
    """Where a service of at most three instances answers, whose instances stop after a second."""
    s_yaml = S_YAML.replace("NAME", name).replace("MIN", str(least)).replace("KEEP", str(keep))
    return str(desk.deploy(name, {**python(word), "s.yaml": s_yaml})["accessUrl"])


def instances(desk: Desk, name: str) -> list[dict[str, Any]]:
    """Those that answer."""
    found = desk.query("detail", detailServerName=name)["service"]["Instances"]
    return [one for one in found if one["status"] == "ready"]


@contextmanager
def asking(desk: Desk, name: str, url: str, path: str, number: int = 1) -> Iterator[None]:
    """So many requests at a time, which go on until the end of the block; all of them are answered."""
    done = Path(desk.environment["HOME"], ".agentrun", "platform", "data", name, f"done-{next(_numbers)}")
    with ThreadPoolExecutor(number) as pool:
        waiting = [pool.submit(get, url, f"{path}?{done.name}") for _ in range(number)]
        try:
            yield
            assert not any(one.done() for one in waiting)
        finally:
            done.touch()
        assert {one.result().status_code for one in waiting} == {200}


@row("A14")
def test_others_are_served_while_one_takes_long(desk: Desk):
    url = desk.deploy("long", python(), serverConfig={"MaxNum": 1})["accessUrl"]
    with asking(desk, "long", url, "hold"):
        for _ in range(20):
            assert get(url).status_code == 200
    desk.delete("long")


@row("A18")
def test_instances_rise_to_the_largest_number_and_fall_to_none(desk: Desk):
    url = deployed(desk, "elastic")
    with asking(desk, "elastic", url, "hold", 50):
        until(lambda: len(instances(desk, "elastic")) == 3)
        until(lambda: [one["inFlight"] for one in instances(desk, "elastic")] == [10, 10, 10])
    until(lambda: not instances(desk, "elastic"))
    with asking(desk, "elastic", url, "hold"):
        until(lambda: len(instances(desk, "elastic")) == 1)
    desk.delete("elastic")


@row("A19")
def test_the_smallest_number_stays_when_the_others_go_and_is_made_good(desk: Desk):
    url = deployed(desk, "warm", least=1)
    with asking(desk, "warm", url, "hold", 30):
        until(lambda: len(instances(desk, "warm")) == 3)
    until(lambda: len(instances(desk, "warm")) == 1)
    (kept,) = instances(desk, "warm")
    assert get(url).json()["pid"] == kept["pid"]
    os.kill(kept["pid"], 9)
    until(lambda: [one["pid"] != kept["pid"] for one in instances(desk, "warm")] == [True])
    desk.delete("warm")


@row("C14")
def test_the_old_version_stays_for_as_long_as_it_is_to(desk: Desk):
    def versions() -> set[str]:
        return {one["version"] for one in instances(desk, "kept-warm")}

    deployed(desk, "kept-warm", least=1, keep=3600)
    deployed(desk, "kept-warm", "two", least=1, keep=2)
    assert versions() == {"1", "2"}
    deployed(desk, "kept-warm", "three", least=1, keep=2)
    until(lambda: versions() == {"1", "3"})
    desk.delete("kept-warm")


@row("C17", "C18")
@pytest.mark.parametrize(("path", "what"), [("burn", "cpu"), ("eat", "memory")])
def test_one_request_that_uses_more_than_its_share_makes_another_instance(desk: Desk, path: str, what: str):
    name = f"much-{what}"
    url = deployed(desk, name)
    with asking(desk, name, url, path):
        until(lambda: len(instances(desk, name)) > 1)
        until(lambda: max(one[what] for one in instances(desk, name)) > 0.6)
        assert len(instances(desk, name)) <= 3
    desk.delete(name)
