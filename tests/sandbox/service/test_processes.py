"""Commands and processes over HTTP."""

from __future__ import annotations

import httpx


def test_a_command_runs_to_its_end(client: httpx.Client, box: str):
    wish = {"command": "echo out; echo err >&2; exit 3", "cwd": "/home/user"}
    done = client.post(f"{box}/processes/cmd", json=wish).json()
    assert done["status"] == "completed" and done["executionId"]
    result = done["result"]
    assert (result["exitCode"], result["stdout"], result["stderr"]) == (3, "out\n", "err\n")
    assert result["cwd"] == "/home/user" and result["executionTimeMs"] >= 0
    assert (done["exit_code"], done["stdout"]) == (3, "out\n")
    slow = client.post(f"{box}/processes/cmd", json={"command": "sleep 1000", "timeout": 0.3}).json()
    assert slow["status"] == "timeout" and slow["result"]["timedOut"]


def test_processes_are_listed_looked_at_and_ended(client: httpx.Client, box: str):
    client.post(f"{box}/processes/cmd", json={"command": "setsid sleep 1234 >/dev/null 2>&1 &"})
    listed = client.get(f"{box}/processes").json()
    assert listed["total"] == len(listed["items"])
    sleeper = next(one for one in listed["items"] if "sleep 1234" in one["command"])
    path = f"{box}/processes/{sleeper['processId']}"
    looked_at = client.get(path).json()
    assert looked_at["resourceUsage"]["memoryMb"] >= 0 and looked_at["createdAt"] == sleeper["createdAt"]
    assert client.delete(path).json()["stopped"]
    listed = client.get(f"{box}/processes").json()
    assert [one for one in listed["items"] if "sleep 1234" in one["command"]] == []
    assert client.delete(path).status_code == 404
