"""The tools as a stock MCP client sees them, and what `queryCloudRun` answers."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import anyio
import httpx
import httpx2
import pytest
from jsonschema import Draft202012Validator
from mcp import Client
from mcp.client.streamable_http import streamable_http_client

from .conftest import AGENTRUN, PATIENCE_S, Desk, Refused, get, opened
from .programs import python
from .rows import row

TOOLS = ["queryCloudRun", "manageCloudRun", "queryAgents", "manageAgents"]


@row("A59")
def test_a_stock_client_lists_four_tools_with_whole_schemas(desk: Desk):
    found = desk.portal.call(desk.client.list_tools).tools
    assert [tool.name for tool in found] == TOOLS
    for tool in found:
        Draft202012Validator.check_schema(tool.input_schema)
        assert "$ref" not in json.dumps(tool.input_schema), "not every client follows references"
        assert tool.input_schema["required"] == ["action"]
        assert tool.annotations is not None
        assert tool.annotations.read_only_hint is tool.name.startswith("query")


@row("A59")
def test_the_guides_examples_run_as_they_are_written(desk: Desk):
    service, agents = str(desk.root / "my-service"), str(desk.root / "agents")
    assert "helloworld" in [one["identifier"] for one in desk.query("templates")["templates"]]
    desk.manage("init", serverName="my-service", targetPath=service, template="helloworld")
    desk.manage("run", serverName="my-service", targetPath=service, runOptions={"port": 0})
    config = {"OpenAccessTypes": ["WEB"], "Cpu": 0.5, "Mem": 1, "MinNum": 0, "MaxNum": 5}
    done = desk.manage("deploy", serverName="my-service", targetPath=service, serverConfig=config)
    assert get(done["accessUrl"]).json() == {"message": "Hello from my-service"}
    agent = {"agentName": "MyAgent", "botTag": "demo", "description": "我的 AI 代理", "template": "blank"}
    made = desk.manage("createAgent", serverName="my-agent", targetPath=agents, agentConfig=agent)
    assert made["botId"] == "ibot-myagent-demo" and "MyAgent is myagent" in made["warnings"][0]
    options = {"port": 0, "runMode": "agent"}
    ran = desk.manage("run", serverName="my-agent", targetPath=f"{agents}/my-agent", runOptions=options)
    assert ran["isAgent"] is True and ran["runMode"] == "agent"
    desk.manage("stop", serverName="my-agent")
    desk.manage("stop", serverName="my-service")
    desk.delete("my-service")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"action": "fly"}, "action: Input should be 'list', 'detail'"),
        ({}, "action: Field required"),
        ({"action": "list", "pageSize": 101}, "pageSize: Input should be less than or equal to 100"),
        (
            {"action": "list", "name": "x"},
            "name: Extra inputs are not permitted. There are: action, pageSize",
        ),
        ({"action": "detail"}, "detailServerName is missing. queryCloudRun, action list, names them."),
    ],
)
def test_a_wrong_argument_is_a_result_that_says_which_and_what_to_do(
    desk: Desk, arguments: dict[str, Any], said: str
):
    with pytest.raises(Refused) as error:
        desk.call("queryCloudRun", arguments)
    assert said in str(error.value)
    assert error.value.answer["success"] is False and error.value.answer["error"]


@row("A29")
def test_list_pages_and_filters(desk: Desk):
    folder = desk.project("many", python())
    for number in range(12):
        desk.manage("deploy", serverName=f"many-{number:02}", targetPath=folder)
    container = {"EntryPoint": ["python3"], "Cmd": ["app.py"]}
    desk.manage("deploy", serverName="other", targetPath=folder, serverConfig=container)
    found = desk.query("list", serverName="MANY", pageSize=5, pageNum=3)
    assert found["pagination"] == {"total": 12, "pageSize": 5, "pageNum": 3, "totalPages": 3}
    assert [one["ServerName"] for one in found["services"]] == ["many-10", "many-11"]
    only = desk.query("list", serverName="other", serverType="container")
    assert [one["ServerName"] for one in only["services"]] == ["other"]
    assert desk.query("list", serverName="other", serverType="function")["pagination"]["total"] == 0
    for name in [f"many-{number:02}" for number in range(12)] + ["other"]:
        desk.delete(name)


@row("A30")
def test_detail_is_configuration_version_and_address(desk: Desk):
    done = desk.deploy("seen", python(), serverConfig={"Cpu": 0.25, "MaxNum": 3, "Port": 8080})
    detail = desk.query("detail", detailServerName="seen")
    base, config = detail["service"]["BaseInfo"], detail["service"]["ServerConfig"]
    assert (base["ServerName"], base["ServerType"], base["Status"]) == ("seen", "function", "normal")
    assert base["DefaultDomainName"] == done["accessUrl"]
    assert (config["Cpu"], config["Mem"], config["MaxNum"], config["Port"]) == (0.25, 0.5, 3, 8080)
    assert detail["latestDeploy"]["RunId"] == "seen@1" == done["runId"]
    with pytest.raises(Refused, match='There is no runtime "nobody"'):
        desk.query("detail", detailServerName="nobody")
    desk.delete("seen")


@row("A31")
def test_templates_are_there_without_a_network(desk: Desk):
    found = {one["identifier"]: one["type"] for one in desk.query("templates")["templates"]}
    assert (
        found | {"helloworld": "service", "node": "service", "python": "service", "blank": "agent"} == found
    )


@row("A27", "A60", "C19")
def test_logs_are_lines_of_output_and_of_requests(desk: Desk):
    done = desk.deploy("told", python())
    asked = get(done["accessUrl"], "say?one", headers={"authorization": "Bearer of-nobody"})
    assert asked.status_code == 200
    request = asked.headers["x-request-id"]
    found = desk.query("getProcessLog", detailServerName="told", requestId=request)["processLogs"]
    assert [(one["status"], one["requestId"], one["ms"] > 0) for one in found] == [(200, request, True)]
    desk.printed("told", "said one")
    everything = desk.query("getProcessLog", detailServerName="told", runId="told@1")["processLogText"]
    assert "it has started" in everything and "said one" in everything and "of-nobody" not in everything
    assert (
        "said" not in desk.query("getProcessLog", detailServerName="told", search="started")["processLogText"]
    )
    lines = [json.loads(line) for line in desk.agentrun("logs", "--runtime", "told", "--json").splitlines()]
    assert [line["status"] for line in lines if line["kind"] == "requests"] == [200]
    (instance,) = desk.query("detail", detailServerName="told")["service"]["Instances"]
    assert 0 < instance["startMs"] < PATIENCE_S * 1000
    desk.delete("told")


def test_the_environment_and_a_services_task(desk: Desk):
    assert desk.manage("initEnv")["status"] == "normal"
    assert desk.query("envStatus")["status"] == "normal"
    desk.deploy("task", python())
    task = desk.query("getManageTask", detailServerName="task")
    assert (task["taskStatus"], task["latestDeploy"]["RunId"]) == ("finished", "task@1")
    assert [
        one["FlowRatio"] for one in desk.query("getDeployRecords", detailServerName="task")["deployRecords"]
    ] == [100]
    desk.delete("task")


def test_a_platform_that_does_not_run_is_not_started_to_be_asked_about(tmp_path: Path):
    with opened(tmp_path) as desk:
        assert desk.query("envStatus")["status"] == "unopened"
        assert desk.query("templates")["templates"]
        assert not (tmp_path / ".agentrun" / "platform").exists()


def test_what_is_wrong_with_the_command_is_said_in_one_line(tmp_path: Path):
    done = subprocess.run(
        [AGENTRUN, "mcp", "platform", "--root", str(tmp_path / "nowhere")],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("Error: There is no folder")


def test_http_asks_for_its_key_and_answers_as_stdio_does(tmp_path: Path):
    command = [AGENTRUN, "mcp", "platform", "--root", str(tmp_path), "--port", "0"]
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    own = {**os.environ, "TMPDIR": str(scratch)}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=own) as server:
        assert server.stdout is not None
        at = json.loads(server.stdout.readline())
        keyed = {"authorization": at["authorization"]}
        asked = {"jsonrpc": "2.0", "id": 1, "method": "ping"}
        assert httpx.post(at["url"], json=asked, timeout=PATIENCE_S).status_code == 401
        page = {**keyed, "origin": "https://elsewhere.test"}
        assert httpx.post(at["url"], json=asked, headers=page, timeout=PATIENCE_S).status_code == 403
        assert httpx.post(at["url"], json=asked, headers=keyed, timeout=PATIENCE_S).json()["result"] == {}
        assert anyio.run(tools_over_http, at["url"], keyed) == TOOLS
        server.terminate()
        server.wait(PATIENCE_S)
    assert not list(scratch.iterdir()), "it has tidied up"


async def tools_over_http(url: str, headers: dict[str, str]) -> list[str]:
    """What the stock client finds, after a call whose progress it is told."""
    told: list[str] = []

    async def tell(progress: float, total: float | None, message: str | None) -> None:
        told.append(message or "")

    async with httpx2.AsyncClient(headers=headers, timeout=PATIENCE_S) as http:
        async with Client(streamable_http_client(url, http_client=http)) as client:
            asked = {"action": "templates"}
            assert not (await client.call_tool("queryCloudRun", asked, progress_callback=tell)).is_error
            return [tool.name for tool in (await client.list_tools()).tools]
