"""Services: deployed, configured, looked into, deleted."""

from __future__ import annotations

import base64
import io
import json
import socket
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import httpx
import pytest
from patience import until

from .conftest import PATIENCE_S, Desk, Refused, get, opened
from .programs import DOCKERFILE_NODE, DOCKERFILE_PYTHON, NODE, python
from .rows import row

S_YAML = """
resources:
  NAME:
    component: agentrun
    props:
      agent:
        name: NAME
        code: {src: ., language: python3.11, command: [python3, app.py]}
        MORE
"""


@row("A2", "A3")
@pytest.mark.parametrize(
    ("files", "config", "word"),
    [
        (python(), {}, "one"),
        ({"server.js": NODE}, {}, "node"),
        (python("by a shell"), {"EntryPoint": ["sh", "-c"], "Cmd": ["exec python3 app.py"]}, "by a shell"),
    ],
    ids=["python", "node", "shell"],
)
def test_whatever_listens_on_its_port_is_deployed_the_same_way(
    desk: Desk, files: dict[str, str], config: dict[str, Any], word: str
):
    name = f"any-{word.replace(' ', '-')}"
    said = get(desk.deploy(name, files, serverConfig=config)["accessUrl"]).json()
    (instance,) = desk.query("detail", detailServerName=name)["service"]["Instances"]
    assert said["word"] == word and instance["status"] == "ready"
    assert get(f"http://127.0.0.1:{said['port']}").json()["word"] == word, "it listens where it was told"
    desk.delete(name)


@row("A4")
def test_a_dockerfile_makes_a_container_unless_it_is_said_otherwise(desk: Desk):
    files = {**python(), "Dockerfile": DOCKERFILE_PYTHON, "requirements.txt": ""}
    assert desk.deploy("mode", files)["serverType"] == "container"
    assert desk.deploy("mode", files, serverType="function")["serverType"] == "function"
    assert desk.query("list", serverName="mode")["services"][0]["ServerType"] == "function"
    desk.delete("mode")


@row("A20", "A64")
@pytest.mark.parametrize(
    ("config", "said"),
    [
        ({"Cpu": 0.5, "Mem": 4}, "serverConfig: Mem is 4 and Cpu is 0.5; Mem has to be 2 x Cpu: 1"),
        ({"Cpu": 0}, "serverConfig.Cpu: Input should be greater than 0"),
        ({"MinNum": 3, "MaxNum": 2}, "serverConfig: MinNum is 3 and MaxNum is 2"),
        ({"MinNum": 6}, "MinNum would be 6 and MaxNum 5; MinNum may not be more. Say both."),
        ({"OpenAccessTypes": ["NONE"]}, "serverConfig.OpenAccessTypes.0: Input should be 'OA', 'PUBLIC'"),
        ({"Port": 70000}, "serverConfig.Port: Input should be less than or equal to 65535"),
        ({"EnvParams": "{"}, 'serverConfig.EnvParams: it is JSON text: {"NAME": "value"}'),
        ({"Secrets": ["NOT_SET"]}, "There is no secret NOT_SET. Run: agentrun secrets set NOT_SET"),
    ],
)
def test_a_configuration_that_cannot_be_names_the_field(desk: Desk, config: dict[str, Any], said: str):
    path = desk.project("wrong", python())
    assert said in desk.refused("deploy", serverName="wrong", targetPath=path, serverConfig=config)
    assert desk.query("list", serverName="wrong")["pagination"]["total"] == 0


@row("A20")
def test_one_of_cpu_and_memory_says_both(desk: Desk):
    desk.deploy("sized", python(), serverConfig={"Cpu": 0.25, "Mem": 0.5})
    desk.manage("updateConfig", serverName="sized", serverConfig={"Mem": 2})
    config = desk.query("detail", detailServerName="sized")["service"]["ServerConfig"]
    assert (config["Cpu"], config["Mem"]) == (1, 2)
    desk.delete("sized")


@row("A26", "C4")
def test_variables_are_masked_and_secrets_never_shown(desk: Desk):
    variables = '{"MY_WORD": "w", "MY_TOKEN": "of-nobody-else", "MY_NUMBER": 7}'
    done = desk.deploy("private", python(), serverConfig={"EnvParams": variables})
    asked = {"MY_WORD": "w", "MY_TOKEN": "of-nobody-else", "MY_NUMBER": "7"}
    assert get(done["accessUrl"]).json()["variables"] == asked
    shown = desk.query("detail", detailServerName="private")["service"]["ServerConfig"]["EnvParams"]
    assert shown == dict.fromkeys(asked, "***")
    revealed = desk.query("detail", detailServerName="private", revealEnvParams=True)
    assert revealed["service"]["ServerConfig"]["EnvParams"] == {**asked, "MY_TOKEN": "***"}
    get(done["accessUrl"], "say?of-nobody-else")
    assert "of-nobody-else" not in desk.printed("private", "said [redacted]")
    desk.manage("download", serverName="private", targetPath=str(desk.root / "private-got"))
    assert "of-nobody-else" not in (desk.root / "private-got" / "app.py").read_text("utf-8")
    desk.delete("private")


@row("C4")
def test_a_secret_is_in_no_file_but_its_own(desk: Desk):
    desk.agentrun("secrets", "set", "MY_SECRET", given="a-value-of-nobody-else")
    url = desk.deploy("hushed", python(), serverConfig={"Secrets": ["MY_SECRET"]})["accessUrl"]
    assert get(url).json()["variables"] == {"MY_SECRET": "a-value-of-nobody-else"}
    get(url, "say?a-value-of-nobody-else")
    desk.printed("hushed", "said [redacted]")
    platform = Path(desk.environment["HOME"]) / ".agentrun" / "platform"
    kept = [path for path in platform.rglob("*") if path.is_file()]
    assert {path.suffix for path in kept} >= {".log", ".db"}
    holding = [path for path in kept if b"a-value-of-nobody-else" in path.read_bytes()]
    assert {path.relative_to(platform).parts[0] for path in holding} == {"secrets"}
    desk.delete("hushed")


@row("A41", "C16")
def test_a_deploy_is_a_new_version_and_the_same_content_is_none(desk: Desk):
    first = desk.deploy("shop", python("one"))
    assert (first["runId"], first["versionName"], first["created"]) == ("shop@1", "shop-001", True)
    assert desk.deploy("shop", python("one"))["created"] is False
    second = desk.deploy("shop", python("two"))
    assert get(second["accessUrl"]).json()["word"] == "two"
    desk.agentrun("version", "publish", "--runtime", "shop", "--description", "v1.2.0")
    records = desk.query("getDeployRecords", detailServerName="shop")["deployRecords"]
    assert [(one["VersionName"], one["Description"], one["FlowRatio"]) for one in records] == [
        ("shop-002", "v1.2.0", 100),
        ("shop-001", "", 0),
    ]
    assert desk.query("detail", detailServerName="shop")["latestDeploy"]["RunId"] == "shop@2"
    log = desk.query("getDeployLog", detailServerName="shop", buildId=first["buildId"])
    assert log["status"] == "finished" and "Starting version 1" in log["combinedLogText"]
    desk.delete("shop")


@row("A28")
def test_what_is_required_is_installed_for_the_first_version_only(desk: Desk):
    wheel = desk.root / "tiny_thing-1.0-py3-none-any.whl"
    about = "Metadata-Version: 2.1\nName: tiny-thing\nVersion: 1.0\n"
    kind = "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
    parts = {"METADATA": about, "WHEEL": kind, "RECORD": ""}
    inside = {f"tiny_thing-1.0.dist-info/{name}": text for name, text in parts.items()}
    wheel.write_bytes(base64.b64decode(zipped({"tiny_thing.py": "WORD = 'tiny'", **inside})))

    def deploy(word: str) -> str:
        program = "import tiny_thing\n" + python(word)["app.py"]
        desk.said.clear()
        files = {"app.py": program, "requirements.txt": f"tiny-thing @ {wheel.as_uri()}\n"}
        assert get(desk.deploy("layers", files)["accessUrl"]).json()["word"] == word
        return "\n".join(desk.said)

    assert "Installing 1 requirement" in deploy("one")
    wheel.unlink()
    again = deploy("two")
    assert "installed already" in again and "Installing" not in again
    desk.delete("layers")


@row("A42")
def test_a_deploy_keeps_what_it_does_not_name(desk: Desk):
    config = {"Cpu": 0.25, "MaxNum": 2, "EnvParams": {"MY_A": "1", "MY_TOKEN": "t"}}
    desk.deploy("kept", python(), serverConfig=config)
    done = desk.deploy("kept", python("two"), serverConfig={"EnvParams": {"MY_B": "2"}})
    assert get(done["accessUrl"]).json()["variables"] == {"MY_A": "1", "MY_TOKEN": "t", "MY_B": "2"}
    detail = desk.query("detail", detailServerName="kept", revealEnvParams=True)["service"]["ServerConfig"]
    assert (detail["Cpu"], detail["MaxNum"], detail["EnvParams"]["MY_TOKEN"]) == (0.25, 2, "***")
    done = desk.deploy(
        "kept", python("two"), serverConfig={"EnvParams": {"MY_B": "2"}}, envParamsReplaceAll=True
    )
    assert get(done["accessUrl"]).json()["variables"] == {"MY_B": "2"}
    desk.delete("kept")


@row("A43", "C20", "A64")
def test_a_build_that_fails_leaves_the_old_version_and_its_log(desk: Desk):
    done = desk.deploy("built", python())
    wrong = {"Dockerfile": DOCKERFILE_PYTHON, "requirements.txt": "no-such-package-anywhere==1\n"}
    path = desk.project("built-wrong", {**python("two"), **wrong})
    said = desk.refused("deploy", serverName="built", targetPath=path)
    assert "no-such-package-anywhere" in said and "Are the requirements right" in said
    assert get(done["accessUrl"]).json()["word"] == "one"
    with pytest.raises(Refused, match="no such deploy of nobody"):
        desk.query("getDeployLog", detailServerName="nobody")
    log = desk.query("getDeployLog", detailServerName="built")
    assert log["status"] == "failed" and "no-such-package-anywhere" in log["combinedLogText"]
    path = desk.project("built-ends", {"app.py": "print('so it ends')\nraise SystemExit(4)\n"})
    said = desk.refused("deploy", serverName="built", targetPath=path)
    assert "Readiness probe failed" in said and "so it ends" in said
    assert get(done["accessUrl"]).json()["word"] == "one"
    assert desk.query("getDeployRecords", detailServerName="built")["total"] == 1
    desk.delete("built")


@row("A44")
def test_delete_needs_force(desk: Desk):
    url = desk.deploy("gone", python())["accessUrl"]
    assert "set force: true" in desk.refused("delete", serverName="gone")
    assert get(url).status_code == 200
    assert desk.manage("delete", serverName="gone", force=True)["status"] == "deleted"
    assert get(url).status_code == 404
    assert 'no runtime "gone"' in desk.refused("delete", serverName="gone", force=True)


@row("A15", "A16")
def test_a_jobs_result_outlives_its_request_and_its_instance(desk: Desk):
    url = desk.deploy("jobs", python(), serverConfig={"MinNum": 1})["accessUrl"]
    first = get(url, "job?result").json()["pid"]
    until(lambda: get(url, "read?result").json()["found"] == "done")
    assert httpx.get(f"{url}/end", timeout=PATIENCE_S).status_code == 502
    found = get(url, "read?result").json()
    assert found["found"] == "done" and found["pid"] != first
    desk.delete("jobs")


@row("A25")
def test_a_caller_gives_up_when_it_likes(desk: Desk):
    url = desk.deploy("patient", python())["accessUrl"]
    with pytest.raises(httpx.TimeoutException):
        httpx.get(f"{url}/slow?30", timeout=1)
    assert get(url).status_code == 200
    desk.delete("patient")


@row("A62")
def test_one_project_is_the_same_whatever_runs_it(desk: Desk):
    path = desk.project("portable", {**python(), "Dockerfile": DOCKERFILE_PYTHON, "requirements.txt": ""})
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with subprocess.Popen([sys.executable, "app.py"], cwd=path, env={"PORT": str(port)}) as plain:
        until(lambda: is_answering(f"http://127.0.0.1:{port}"))
        words = [get(f"http://127.0.0.1:{port}").json()["word"]]
        plain.terminate()
    by_dockerfile = desk.manage("deploy", serverName="portable", targetPath=path)
    assert by_dockerfile["serverType"] == "container"
    words.append(get(by_dockerfile["accessUrl"]).json()["word"])
    desk.project("portable", {"s.yaml": S_YAML.replace("NAME", "portable").replace("MORE", "")})
    options = {"port": 0}
    ran = desk.manage("run", serverName="portable", targetPath=path, runOptions=options)
    words.append(get(f"http://127.0.0.1:{ran['port']}").json()["word"])
    desk.manage("stop", serverName="portable")
    desk.agentrun("deploy", "-t", "portable/s.yaml")
    assert details(desk, "portable")["BaseInfo"]["Version"] == "2"
    words.append(get(by_dockerfile["accessUrl"]).json()["word"])
    assert words == ["one"] * 4
    desk.delete("portable")


def is_answering(url: str) -> bool:
    try:
        return get(url).status_code == 200
    except httpx.ConnectError:
        return False


@row("A62")
def test_what_is_deployed_by_a_command_is_the_same_service(desk: Desk):
    desk.manage("init", serverName="by-hand", targetPath=str(desk.root))
    desk.agentrun("deploy", "-t", "by-hand/s.yaml")
    log = desk.query("getDeployLog", detailServerName="by-hand")
    assert (log["status"], log["runId"]) == ("finished", "by-hand@1")
    assert log["buildLog"] == desk.agentrun("version", "log", "--runtime", "by-hand").splitlines()[:-1]
    found = desk.query("detail", detailServerName="by-hand")
    assert get(found["service"]["BaseInfo"]["DefaultDomainName"]).json() == {"message": "Hello from by-hand"}
    done = desk.manage("deploy", serverName="by-hand", targetPath=str(desk.root / "by-hand"))
    assert done["runId"] == "by-hand@2", "it is a function now, and that is noted"
    desk.delete("by-hand")


@row("A63")
def test_one_code_with_three_files_of_configuration_is_three_services(desk: Desk):
    more = "environmentVariables: {MY_STAGE: '${env(STAGE)}'}"
    desk.project("staged", python())
    for stage in ("dev", "staging", "prod"):
        s_yaml = S_YAML.replace("NAME", f"shop-{stage}").replace("MORE", more.replace("${env(STAGE)}", stage))
        desk.project("staged", {f"s.{stage}.yaml": s_yaml})
        desk.agentrun("deploy", "-t", f"staged/s.{stage}.yaml")
    for stage in ("dev", "staging", "prod"):
        url = details(desk, f"shop-{stage}")["BaseInfo"]["DefaultDomainName"]
        assert get(url).json()["variables"] == {"MY_STAGE": stage}
        desk.delete(f"shop-{stage}")


@row("C1", "C20", "A64")
@pytest.mark.parametrize(
    ("files", "why"),
    [
        (python("two", status=500), "GET /health answered 500"),
        ({"app.py": python("two")["app.py"].replace("int(os.environ", "1 + int(os.environ")}, "nothing listens on its port"),
    ],
    ids=["unwell", "another port"],
)  # fmt: skip
def test_a_version_that_is_not_healthy_gets_no_traffic(desk: Desk, files: dict[str, str], why: str):
    done = desk.deploy("health", python())
    more = "healthCheckConfiguration: {httpGetUrl: /health, startTimeoutSeconds: 4}"
    s_yaml = S_YAML.replace("NAME", "health").replace("MORE", more)
    path = desk.project("health-2", {**files, "s.yaml": s_yaml})
    said = desk.refused("deploy", serverName="health", targetPath=path)
    assert f"Readiness probe failed: {why}" in said and "it has started" in said
    assert get(done["accessUrl"]).json()["word"] == "one"
    desk.delete("health")


@row("C3")
@pytest.mark.parametrize(
    ("files", "word"),
    [
        (
            {
                "Dockerfile": DOCKERFILE_NODE,
                "server.js": NODE,
                "package.json": "{}",
                "package-lock.json": "{}",
            },
            "node",
        ),
        ({"Dockerfile": DOCKERFILE_PYTHON, "requirements.txt": "", **python()}, "one"),
    ],
    ids=["node", "python"],
)
def test_the_guides_dockerfiles_are_deployed(desk: Desk, files: dict[str, str], word: str):
    name = f"docker-{word}"
    done = desk.deploy(name, files)
    assert done["serverType"] == "container" and get(done["accessUrl"]).json()["word"] == word
    assert desk.query("detail", detailServerName=name)["service"]["ServerConfig"]["Port"] == 3000
    desk.delete(name)


@row("C5")
def test_a_running_version_keeps_its_variables(desk: Desk):
    desk.deploy("locked", python(), serverConfig={"EnvParams": {"MY_WORD": "old"}})
    changed = desk.manage("updateConfig", serverName="locked", serverConfig={"EnvParams": {"MY_WORD": "new"}})
    assert (changed["status"], changed["itemsKeys"]) == ("configUpdated", ["EnvParams"])
    records = desk.query("getDeployRecords", detailServerName="locked")["deployRecords"]
    assert [get(one["Url"]).json()["variables"]["MY_WORD"] for one in records] == ["new", "old"]
    again = desk.manage("updateConfig", serverName="locked", serverConfig={"EnvParams": {"MY_WORD": "new"}})
    assert again["status"] == "noop"
    desk.delete("locked")


@row("C26")
def test_a_package_without_a_dockerfile_is_no_container(desk: Desk):
    path = desk.project("packed", python())
    said = desk.refused("deploy", serverName="packed", targetPath=path, serverType="container")
    assert "has no Dockerfile, and a container needs one" in said
    said = desk.refused("deploy", serverName="packed", imageUrl="nginx:latest")
    assert "Images need a container engine" in said and "Give targetPath" in said


def zipped(files: dict[str, str]) -> str:
    """Files as manageAgents takes them."""
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as archive:
        for path, text in files.items():
            archive.writestr(path, text)
    return base64.b64encode(data.getvalue()).decode()


AGENT = """
from agentrun import AgentRunServer
AgentRunServer(invoke_agent=lambda request: f"WORD {request.text}").start()
"""


@row("C26")
def test_an_agent_is_made_of_a_zip_and_changed_and_deleted(desk: Desk):
    def manage(action: str, **more: Any) -> dict[str, Any]:
        return desk.call("manageAgents", {"action": action, **more})

    made = manage("createAgent", name="Zipped", description="Says a word", zipFile=zipped({"app.py": AGENT}))
    assert made["agentId"] == "ibot-zipped-v1"
    ask: dict[str, Any] = {"json": {"msg": "hi"}, "timeout": PATIENCE_S}
    assert "WORD hi" in httpx.post(made["accessUrl"] + made["route"], **ask).text
    code = desk.project("agent-2", {"app.py": AGENT.replace("WORD", "OTHER")})
    manage("updateAgent", agentId="ibot-zipped-v1", cwd=code, memorySize=512)
    assert "OTHER hi" in httpx.post(made["accessUrl"] + made["route"], **ask).text
    manage("updateAgent", agentId="ibot-zipped-v1", description="Says another")
    found = desk.call("queryAgents", {"action": "getAgent", "agentId": "ibot-zipped-v1"})["agent"]
    assert (found["description"], found["ServerName"]) == ("Says another", "ibot-zipped")
    desk.printed("ibot-zipped", "run completed")
    logs = desk.call("queryAgents", {"action": "getAgentLogs", "agentId": "ibot-zipped-v1", "pageSize": 100})
    assert "run completed" in logs["processLogText"]
    with pytest.raises(Exception, match="set force: true"):
        manage("deleteAgent", agentId="ibot-zipped-v1")
    with pytest.raises(Exception, match="is there already"):
        manage("createAgent", agentId="ibot-zipped-v1", cwd=code)
    manage("deleteAgent", agentId="ibot-zipped-v1", force=True)
    with pytest.raises(Exception, match="There is no agent ibot-zipped-v1"):
        desk.call("queryAgents", {"action": "getAgent", "agentId": "ibot-zipped-v1"})


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"agentId": "ibot-a-b-c"}, "is no bot id"),
        ({}, "agentId is missing"),
        ({"name": "z", "zipFile": "no base64"}, "zipFile is no base64"),
        ({"name": "z", "zipFile": zipped({"../out.py": ""})}, "A package may not hold"),
        ({"name": "z", "cwd": "/etc"}, "works inside of"),
    ],
)
def test_an_agent_that_cannot_be_made_leaves_nothing(desk: Desk, arguments: dict[str, Any], said: str):
    with pytest.raises(Exception, match=said):
        desk.call("manageAgents", {"action": "createAgent", **arguments})
    assert desk.call("queryAgents", {"action": "listAgents"})["pagination"]["total"] == 0
    assert not Path("/out.py").exists()


def outside_address() -> str:
    """An address of this machine's that is not loopback; nothing is sent to find it."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))
        except OSError:
            pytest.skip("this machine has no address but loopback")
        return str(probe.getsockname()[0])


@row("A21", "A23")
def test_who_reaches_a_service_is_as_its_access_types_say(tmp_path: Path):
    with opened(tmp_path, AGENTRUN_GATEWAY="0.0.0.0:0") as desk:
        ours = desk.deploy("ours", python(), serverConfig={"OpenAccessTypes": ["PRIVATE"]})["accessUrl"]
        desk.deploy("open", python(), serverConfig={"OpenAccessTypes": ["WEB"]})
        bases = [one["BaseInfo"] for one in (details(desk, "ours"), details(desk, "open"))]
        assert [bool(base["PublicDomain"]) for base in bases] == [False, True]
        types = [details(desk, name)["ServerConfig"]["OpenAccessTypes"] for name in ("ours", "open")]
        assert types == [["VPC"], ["PUBLIC"]]
        s_yaml = S_YAML.replace("NAME", "own").replace("MORE", "internal: true")
        desk.deploy("own", {**python(), "s.yaml": s_yaml})
        assert details(desk, "own")["ServerConfig"]["OpenAccessTypes"] == ["VPC"]
        keys = {
            kind: json.loads(desk.agentrun("keys", "create", kind, "--scope", "invoke", *more, "--json"))[
                "key"
            ]
            for kind, more in (("plain", []), ("trusted", ["--trusted"]))
        }
        port = ours.split("/agent-runtimes")[0].rpartition(":")[2]

        def ask(host: str, name: str, key: str, **said: str) -> int:
            headers = {**said, **({"x-agentrun-key": keys[key]} if key else {})}
            return get(f"http://{host}:{port}/agent-runtimes/{name}/invocations", headers=headers).status_code

        outside = outside_address()
        assert ask(outside, "open", "") == 401
        assert ask(outside, "open", "plain") == 200
        assert ask(outside, "ours", "plain") == 403 == ask(outside, "own", "plain")
        assert ask(outside, "ours", "trusted") == 200
        assert ask("127.0.0.1", "ours", "plain") == 200
        for header in ("x-forwarded-for", "x-real-ip", "forwarded", "via"):
            by_proxy = {header: "203.0.113.7"}
            assert ask("127.0.0.1", "ours", "plain", **by_proxy) == 403
            assert ask("127.0.0.1", "ours", "trusted", **by_proxy) == 200
            assert ask("127.0.0.1", "open", "plain", **by_proxy) == 200


def details(desk: Desk, name: str) -> dict[str, Any]:
    return desk.query("detail", detailServerName=name)["service"]


@row("A22", "C24")
def test_a_service_is_reached_by_a_header_or_by_a_host_name(desk: Desk):
    gateway = desk.deploy("named", python())["accessUrl"].partition("/agent-runtimes")[0]
    by_header = get(gateway, "a/b?c=1", headers={"x-wx-service": "named"}).json()
    assert by_header["path"] == "/a/b?c=1" and "x-wx-service" not in by_header["headers"]
    assert get(gateway, "a/b", headers={"host": "named.localhost:1"}).json()["path"] == "/a/b"
    assert get(gateway, headers={"x-wx-service": "nobody"}).status_code == 404
    assert get(gateway, headers={"host": "nobody.localhost"}).status_code == 404
    assert get(gateway).status_code == 404
    desk.delete("named")


@row("C23")
def test_sizes_and_times_are_as_they_are_set(tmp_path: Path):
    limits = {"AGENTRUN_GATEWAY_MAX_BODY_BYTES": "100000", "AGENTRUN_GATEWAY_IDLE_TIMEOUT_S": "1"}
    with opened(tmp_path, **limits) as desk:
        url = desk.deploy("limited", python())["accessUrl"]
        assert httpx.post(url, content=bytes(100_001), timeout=PATIENCE_S).status_code == 413
        late = get(url, "hold?for-ever")
        assert (late.status_code, late.json()["error"]["code"]) == (504, "instance_timeout")
        assert get(url).status_code == 200


@row("C18", "A27")
def test_metrics_are_told_by_version(desk: Desk):
    url = desk.deploy("measured", python())["accessUrl"]
    for _ in range(5):
        get(url)
    get(url, "end")
    service = details(desk, "measured")
    (metrics,) = service["Metrics"]
    assert (metrics["RunId"], metrics["Requests"], metrics["ErrorRate"]) == ("measured@1", 6, 0.1667)
    assert 0 < metrics["ResponseMsP50"] <= metrics["ResponseMsP95"] and metrics["QPS"] == 0.1
    assert all({"cpu", "memory", "startMs"} <= one.keys() for one in service["Instances"])
    desk.delete("measured")
