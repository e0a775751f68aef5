"""A gray release through the tools: in its order, by testers, by percent, to the end or back."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from patience import until

from .conftest import PATIENCE_S, Desk, get, opened
from .programs import python
from .rows import row


@pytest.fixture
def url(desk: Desk) -> Iterator[str]:
    """A service of two versions, the second of them held."""
    first = desk.deploy("gray", python("old"), serverConfig={"EnvParams": {"MY_WORD": "old"}})
    config = {"EnvParams": {"MY_WORD": "new"}}
    held = desk.deploy("gray", python("new"), serverConfig=config, releaseType="GRAY")
    assert held["next_step"]["action"] == "traffic"
    yield first["accessUrl"]
    desk.delete("gray")


def words(url: str, sessions: int) -> Counter[str]:
    """Which version answers how many of them."""
    with httpx.Client(timeout=PATIENCE_S) as client:
        headers = [{"x-agentrun-session-id": f"s{number}"} for number in range(sessions)]
        return Counter(client.get(url, headers=each).json()["word"] for each in headers)


def traffic(desk: Desk, op: str, **more: object) -> dict[str, object]:
    return desk.manage("traffic", serverName="gray", trafficOp=op, **more)


@row("C7")
def test_the_first_version_has_all_traffic_even_if_it_is_to_be_gray(desk: Desk):
    done = desk.deploy("first", python(), releaseType="GRAY")
    assert get(done["accessUrl"]).json()["word"] == "one"
    assert desk.query("getManageTask", detailServerName="first")["taskStatus"] == "finished"
    desk.delete("first")


@row("C6", "A64")
def test_steps_come_in_their_order(desk: Desk, url: str):
    def refused(op: str, **more: object) -> str:
        return desk.refused("traffic", serverName="gray", trafficOp=op, **more)

    assert "percent is out of order" in refused("set", canaryPercent=10)
    assert "Next: trafficOp test, with testers." in refused("promote")
    traffic(desk, "test", testers={"parameter": "v=test"})
    assert "add up to 110, not to 100" in refused("set", canaryPercent=60, stablePercent=50)
    assert "canaryPercent is missing" in refused("set")
    traffic(desk, "set", stablePercent=70)
    assert "a release only goes up" in refused("set", canaryPercent=10)
    assert "A gray release of gray is running" in desk.refused(
        "deploy", serverName="gray", targetPath=desk.project("gray", python("three"))
    )
    assert desk.query("getManageTask", detailServerName="gray")["taskStatus"] == "running"
    traffic(desk, "promote")
    assert "Start one: action deploy, releaseType GRAY." in refused("set", canaryPercent=50)
    assert "trafficOp is missing" in desk.refused("traffic", serverName="gray")


@row("C9")
def test_a_url_parameter_reaches_the_new_version(desk: Desk, url: str):
    traffic(desk, "test", testers={"parameter": "v=test"})
    assert get(f"{url}/?v=test").json()["word"] == "new"
    assert get(f"{url}/?v=other").json()["word"] == "old"
    assert words(url, 20) == {"old": 20}


@row("C8", "C22")
def test_testers_are_known_by_their_openid_if_who_calls_is_trusted(tmp_path: Path):
    with opened(tmp_path) as desk:
        url = desk.deploy("gray", python("old"))["accessUrl"]
        desk.deploy("gray", python("new"), releaseType="GRAY")
        traffic(desk, "test", testers={"openIds": ["tester-1"]})
        key = json.loads(desk.agentrun("keys", "create", "wx", "--scope", "invoke", "--trusted", "--json"))[
            "key"
        ]
        trusted = {"x-agentrun-key": key}
        assert get(url, headers={**trusted, "x-wx-openid": "tester-1"}).json()["word"] == "new"
        assert get(url, headers={**trusted, "x-wx-openid": "somebody"}).json()["word"] == "old"
        forged = get(url, headers={"x-wx-openid": "tester-1"}).json()
        assert forged["word"] == "old" and "x-wx-openid" not in forged["headers"]


@row("C10", "C11")
def test_a_percentage_is_one_and_who_is_there_stays(desk: Desk, url: str):
    traffic(desk, "test", testers={"parameter": "v=test"})
    traffic(desk, "set", canaryPercent=10)
    few = words(url, 300)
    assert 12 <= few["new"] <= 55, few  # of 300: 30, within five deviations
    assert words(url, 300) == few, "a session stays at its version"
    traffic(desk, "set", canaryPercent=100)
    assert words(url, 50) == {"new": 50}


@row("C12")
def test_at_its_end_the_new_version_has_it_all(desk: Desk, url: str):
    traffic(desk, "test", testers={"parameter": "v=test"})
    done = traffic(desk, "promote")
    assert done["canaryPercent"] == 100
    assert words(url, 30) == {"new": 30}
    records = desk.query("getDeployRecords", detailServerName="gray")["deployRecords"]
    assert [one["FlowRatio"] for one in records] == [100, 0]


@row("C13")
def test_back_is_the_next_request_with_the_old_variables(desk: Desk, url: str):
    traffic(desk, "test", testers={"parameter": "v=test"})
    traffic(desk, "set", canaryPercent=100)
    assert get(url).json()["variables"] == {"MY_WORD": "new"}
    traffic(desk, "rollback")
    assert get(url).json()["variables"] == {"MY_WORD": "old"}
    assert words(url, 30) == {"old": 30}


@row("C15")
def test_a_version_whose_answers_fail_goes_back_by_itself(desk: Desk, url: str):
    traffic(desk, "test", testers={"parameter": "v=test"})
    traffic(desk, "set", canaryPercent=50)
    assert words(url, 30)["new"] > 0
    for _ in range(30):
        assert get(f"{url}/status?500&v=test").status_code == 500
    until(lambda: desk.query("getManageTask", detailServerName="gray")["taskStatus"] == "finished")
    release = desk.query("getManageTask", detailServerName="gray")["task"]["rollout"]
    assert (release["state"], release["steps"][-1]["by"]) == ("rolled_back", "automatic")
    assert words(url, 30) == {"old": 30}
