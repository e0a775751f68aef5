"""The guide's life cycle, command for command: init, build, deploy, versions, canary, rollback, logs, exec, remove."""

from __future__ import annotations

import io
import json
import os
import pty
import re
import select
import shlex
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from agentrun.cli.app import run

from .conftest import AGENTRUN, PATIENCE_S


class Machine:
    """A user with a home, a project and a platform of their own. Commands run in this process, to save their start."""

    def __init__(self, folder: Path, capsys: pytest.CaptureFixture[str], cd: Callable[[Path], None]) -> None:
        self.folder, self.err, self._capsys, self._cd = folder, "", capsys, cd

    def enter(self, folder: str) -> None:
        self.folder /= folder
        self._cd(self.folder)

    def run(self, line: str, *, fails: bool = False) -> str:
        """What a command prints on stdout."""
        self._capsys.readouterr()
        code = run(shlex.split(line))
        out, self.err = self._capsys.readouterr()
        assert (code != 0) == fails, f"{line}: {code}\n{out}{self.err}"
        return out

    def json(self, line: str) -> Any:
        return json.loads(self.run(f"{line} --json"))


@pytest.fixture
def machine(
    project: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Iterator[Machine]:
    monkeypatch.setenv("AGENTRUN_GATEWAY", "127.0.0.1:0")
    monkeypatch.setattr("sys.stdin", io.StringIO())
    one = Machine(project, capsys, monkeypatch.chdir)
    yield one
    one.run("platform stop")


def said(url: str, question: str = "hello", **more: Any) -> str:
    """What the agent at an endpoint's address answers a plain HTTP client."""
    body = {"messages": [{"role": "user", "content": question}]}
    response = httpx.post(f"{url}/openai/v1/chat/completions", json=body, timeout=PATIENCE_S, **more)
    assert response.status_code == 200, response.text
    return response.json()["choices"][0]["message"]["content"]


def shares(url: str, sessions: int) -> dict[str, int]:
    """How many sessions each version answers."""
    found: dict[str, int] = {}
    for number in range(sessions):
        word = said(url, headers={"x-agentrun-session-id": f"s{number}"}).split()[0]
        found[word] = found.get(word, 0) + 1
    return found


def change(machine: Machine, before: str, after: str) -> None:
    app = machine.folder / "code" / "app.py"
    app.write_text(app.read_text("utf-8").replace(before, after), "utf-8")


def declare(machine: Machine, endpoints: str) -> None:
    """The guide's `endpoints:` in s.yaml, in place of the template's."""
    file = machine.folder / "s.yaml"
    head = file.read_text("utf-8").partition("        endpoints:\n")[0]
    file.write_text(f"{head}        endpoints:\n{endpoints}", "utf-8")


def test_the_guide_from_init_to_remove(machine: Machine):
    machine.run("init agentrun-quick-start --template blank")
    machine.enter("agentrun-quick-start")

    # build and deploy
    machine.run("build")
    assert "Building agent: agentrun-quick-start\n" in machine.err
    assert "✅ Build completed successfully\n" in machine.err
    shown = machine.run("deploy")
    assert re.search(r"^agent:\n  id: +rt-\w+\n  arn: +acs:agentrun:.*runtimes/agentrun-quick-start\n", shown)
    assert re.search(r"^  status: +READY$", shown, re.MULTILINE)
    url = re.search(r"^      url: +(http\S+/endpoints/production/invocations)$", shown, re.MULTILINE)
    assert url is not None
    production = url[1]
    assert said(production) == "You said: hello"

    # info, and the same content is no new version
    info = machine.json("info")["agent"]
    assert (info["version"], info["status"], info["artifactType"]) == ("1", "READY", "Code")
    assert [endpoint["url"] for endpoint in info["endpoints"]] == [production]
    assert machine.json("deploy")["created"] is False

    # version 1, then new code as version 2
    assert machine.json("version publish --description 'Production release v1.0'")["version"] == "1"
    declare(
        machine, '          - name: production\n            version: "1"\n            description: "stable"\n'
    )
    change(machine, "You said: ", "Two: ")
    machine.run("build")
    machine.run("deploy")
    machine.run("version publish --description 'Added new feature X'")
    assert [(v["version"], v["description"]) for v in machine.json("version list")] == [
        ("2", "Added new feature X"),
        ("1", "Production release v1.0"),
    ]
    assert said(production) == "You said: hello"

    # canary 10 %, 50 %, all of it, and back
    line = (
        "endpoint publish --endpoint-name canary --target-version 2 --weight 0.1 --description 'Canary 10%'"
    )
    canary = machine.json(line)["url"]
    assert said(canary) == "Two: hello"
    assert machine.json("endpoint list")[0]["traffic"] == "90% → 1, 10% → 2"
    machine.run("endpoint publish --endpoint-name canary --target-version 2 --weight 0.5")
    half = shares(production, 40)
    assert set(half) == {"You", "Two:"} and sum(half.values()) == 40
    assert shares(production, 40) == half, "a session stays at its version"
    machine.run("endpoint publish --endpoint-name production --target-version 2")
    assert shares(production, 10) == {"Two:": 10}
    machine.run("endpoint publish --endpoint-name production --target-version 1")
    assert shares(production, 10) == {"You": 10}
    got = machine.json("endpoint get --endpoint-name production")
    assert (got["targetVersion"], got["traffic"]) == ("1", "100% → 1")
    machine.run("endpoint publish --endpoint-name prod-v2 --target-version 2 --description 'Production v2'")
    assert said(got["url"].replace("production", "prod-v2")) == "Two: hello"

    # what cannot be is refused, and changes nothing
    machine.run("endpoint publish --endpoint-name canary --target-version 2 --weight 1.5", fails=True)
    assert "between 0 and 1" in machine.err
    machine.run("endpoint publish --endpoint-name production --target-version 9", fails=True)
    assert "There are: 1, 2, and LATEST." in machine.err

    # logs
    request = httpx.get(f"{production}/nowhere").headers["x-request-id"]
    assert machine.run(f"logs --request-id {request}").count("GET /nowhere 404") == 1
    assert "404" in machine.run("logs --type fail") and " 200 " not in machine.run("logs --type fail")
    assert "run completed" in machine.run("logs --search 'run completed' --match 'run'")
    assert machine.run("logs --start-time '2020-01-01 00:00:00' --end-time '2020-01-01 23:59:59'") == ""

    # instances
    instances = machine.json("instance list")
    assert {instance["version"] for instance in instances} == {"1", "2"}
    id = next(each["instanceId"] for each in instances if each["version"] == "1")
    assert id.startswith("c-")
    assert "app.py" in machine.run(f"instance exec --instance-id {id} --cmd 'ls -lh'")
    assert "AGENTRUN_VERSION=agentrun-quick-start@1" in machine.run(
        f"instance exec --instance-id {id} --cmd 'env | grep AGENTRUN'"
    )
    folder = machine.run(f"instance exec --instance-id {id} --workdir /app --cmd pwd").strip()
    assert machine.json(f"instance exec --instance-id {id} --cmd 'cat app.py'")["output"].startswith(
        '"""An agent'
    )
    if folder == "/app":  # the kernel lets this user have mounts of its own
        assert "You said" in machine.run(f"instance exec --instance-id {id} --cmd 'cat /app/app.py'")
    else:
        assert Path(folder).is_absolute()

    # concurrency
    assert machine.json("concurrency put --reserved-concurrency 20")["reservedConcurrency"] == 20
    assert machine.json("concurrency get")["instanceConcurrency"] == 10
    machine.run("concurrency remove -y")
    assert machine.json("concurrency get")["reservedConcurrency"] is None

    # remove
    machine.run("remove", fails=True)
    machine.run("remove -y")
    machine.run("info", fails=True)
    assert "There is no runtime" in machine.err
    assert httpx.post(f"{production}/openai/v1/chat/completions", json={}).status_code == 404
    assert machine.json("platform status")["instances"] == []


def test_two_environments_of_one_project_are_two_agents(machine: Machine):
    machine.run("init shop --template blank")
    machine.enter("shop")
    template = (machine.folder / "s.yaml").read_text("utf-8")
    for name in ("dev", "prod"):
        text = template.replace("resources:", f"vars:\n  env: {name}\n\nresources:", 1)
        text = text.replace("        name: shop", "        name: agent-${vars.env}")
        text += (
            "        environmentVariables:\n          ENVIRONMENT: ${vars.env}\n          LOG_LEVEL: debug\n"
        )
        (machine.folder / f"s.{name}.yaml").write_text(text, "utf-8")
    urls = {}
    machine.run("config add production --url local")
    for name, access in (("dev", "default"), ("prod", "production")):
        done = machine.json(f"deploy -t s.{name}.yaml -a {access}")
        urls[name] = done["agent"]["url"]
        assert done["agent"]["environmentVariables"]["ENVIRONMENT"] == name
        assert said(urls[name]) == "You said: hello"
    assert urls["dev"] != urls["prod"]
    machine.run("deploy -t s.dev.yaml -a nowhere", fails=True)
    assert "agentrun config add nowhere" in machine.err


def test_a_gray_release_step_by_step_and_back(machine: Machine):
    machine.run("init shop --template blank")
    machine.enter("shop")
    url = machine.json("deploy")["agent"]["url"]
    change(machine, "You said: ", "Two: ")
    started = machine.json("release start")
    assert (started["rollout"]["old"], started["rollout"]["new"], started["nextStep"]) == (1, 2, "test")
    assert shares(url, 5) == {"You": 5}
    machine.run("release percent 10", fails=True)
    assert "agentrun release test" in machine.err
    machine.run("release test --open-id o1 --parameter v=test")
    assert (
        said(f"{url}/openai/v1/chat/completions?v=test".partition("/openai")[0], params={"v": "test"})
        == "Two: hello"
    )
    forged = said(url, headers={"x-wx-openid": "o1"})
    assert forged == "You said: hello", "anyone could say that they are a tester"
    key = machine.json("keys create wx --scope invoke --trusted")["key"]
    assert said(url, headers={"x-wx-openid": "o1", "x-agentrun-key": key}) == "Two: hello"
    machine.run("release percent 50")
    assert set(shares(url, 40)) == {"You", "Two:"}
    change(machine, "Two: ", "Three: ")
    machine.run("deploy", fails=True)
    assert "A gray release of shop is running" in machine.err
    machine.run("release rollback --reason 'not as good'")
    assert shares(url, 10) == {"You": 10}
    steps = machine.json("release status")["rollout"]["steps"]
    assert [step["action"] for step in steps] == ["start", "test", "percent", "rollback"]
    assert steps[-1]["detail"] == "not as good"
    assert machine.json("endpoint get --endpoint-name production")["targetVersion"] == "1"


def test_the_example_of_every_option_is_deployed_as_it_stands(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("MODEL_API_KEY", "sk-not-shown")
    machine.run("init shop --template blank")
    machine.enter("shop")
    shutil.copy(Path(__file__).parents[2] / "s.yaml.example", machine.folder / "s.yaml")
    agent = machine.json("deploy")["agent"]
    assert agent["environmentVariables"] == {"MODEL_NAME": "my-model", "MODEL_API_KEY": "***"}
    assert said(agent["endpoints"][0]["url"]) == "You said: hello"
    machine.run("config validate")
    assert "sk-not-shown" not in machine.run("config show") + machine.run("info --json")


def test_a_mistake_is_told_with_file_and_line_before_anything_is_done(machine: Machine):
    machine.run("init shop --template blank")
    machine.enter("shop")
    file = machine.folder / "s.yaml"
    good = file.read_text("utf-8")
    for text, said_ in (
        (good.replace("      agent:", "      agnet:"), "s.yaml:8: agent configuration is required"),
        (good.replace("cpu: 1.0", "cpu: many"), "s.yaml:16: cpu is 'many'"),
        (good.replace("src: ./code", "src: ./cod"), "s.yaml:13: There is no"),
        (good + "          - name: canary\n            version: 7\n", "s.yaml:23: shop has no version 7"),
        (good + "        secrets: [NOT_SET]\n", "s.yaml:22: There is no secret NOT_SET"),
    ):
        file.write_text(text, "utf-8")
        machine.run("deploy", fails=True)
        assert said_ in machine.err, machine.err
    file.write_text(good, "utf-8")
    machine.run("info", fails=True)
    assert 'There is no runtime "shop"' in machine.err


def test_secrets_reach_the_agent_and_nothing_else(machine: Machine, monkeypatch: pytest.MonkeyPatch):
    machine.run("init shop --template blank")
    machine.enter("shop")
    with (machine.folder / "s.yaml").open("a", encoding="utf-8") as file:
        file.write("        secrets: [API_TOKEN]\n")
    monkeypatch.setattr("sys.stdin", io.StringIO("hush-hush\n"))
    machine.run("secrets set API_TOKEN")
    change(
        machine,
        "yield request.text",
        'import os; print(os.environ["API_TOKEN"]); yield os.environ["API_TOKEN"]',
    )
    url = machine.json("deploy")["agent"]["url"]
    assert said(url) == "You said: hush-hush"
    (listed,) = machine.json("secrets list")
    assert (listed["name"], listed["revision"]) == ("API_TOKEN", 1)
    told = (
        machine.run("info --json")
        + machine.run("logs")
        + machine.run("platform status")
        + machine.run("platform audit")
    )
    assert "hush-hush" not in told
    assert "hush-hush" not in machine.run("secrets list")


def test_a_shell_in_an_instance(machine: Machine):
    machine.run("init shop --template blank")
    machine.enter("shop")
    machine.run("deploy")
    id = machine.json("instance list")[0]["instanceId"]
    ours, theirs = pty.openpty()
    command = [AGENTRUN, "instance", "exec", "--instance-id", id]
    process = subprocess.Popen(
        command, stdin=theirs, stdout=theirs, stderr=theirs, cwd=machine.folder, close_fds=True
    )
    os.close(theirs)
    # typed one after the other, each when the answer of the one before is there
    printed = b""
    for typed, awaited in (
        (b"echo $((6*7))-$AGENTRUN_RUNTIME\n", b"42-shop"),
        (b"ls\n", b"app.py"),
        (b"exit 3\n", b""),
    ):
        os.write(ours, typed)
        while awaited not in printed:
            assert select.select([ours], [], [], PATIENCE_S)[0], printed
            printed += os.read(ours, 4096)
    assert process.wait(PATIENCE_S) == 3
    os.close(ours)


def test_logs_are_followed_as_they_come(machine: Machine):
    machine.run("init shop --template blank")
    machine.enter("shop")
    url = machine.json("deploy")["agent"]["url"]
    before = httpx.get(f"{url}/nowhere").headers["x-request-id"]
    with subprocess.Popen(
        [AGENTRUN, "logs", "--tail", "--json"], cwd=machine.folder, stdout=subprocess.PIPE, encoding="utf-8"
    ) as process:
        assert process.stdout is not None
        assert any(json.loads(line).get("requestId") == before for line in process.stdout)
        answered = httpx.get(f"{url}/nowhere")
        for line in process.stdout:
            if answered.headers["x-request-id"] == json.loads(line).get("requestId"):
                break
        process.terminate()


def test_a_platform_of_others_is_reached_by_its_name(machine: Machine, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("AGENTRUN_PLATFORM_LISTEN", "127.0.0.1:0")
    machine.run("init shop --template blank")
    machine.enter("shop")
    url = machine.json("platform start")["controlUrl"]
    key = machine.json("keys create ci --scope read --scope deploy")["key"]
    machine.run(f"config add prod --url {url} --key {key}")
    # as from another machine: the one here is not asked
    monkeypatch.setattr("agentrun.cli.platform.reach.started", None)
    agent = machine.json("deploy -a prod")["agent"]
    assert said(agent["url"]) == "You said: hello"
    assert machine.json("version list -a prod")[0]["version"] == "1"
    id = machine.json("instance list -a prod")[0]["instanceId"]
    machine.run(f"instance exec -a prod --instance-id {id} --cmd ls", fails=True)
    assert "may not exec" in machine.err
    machine.run("keys list -a prod", fails=True)
    assert "own machine" in machine.err
