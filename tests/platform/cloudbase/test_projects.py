"""Projects on the agent's own machine: made, got back, run, stopped."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
from pathlib import Path
from typing import Any

import httpx
import pytest
from patience import until

from .conftest import AGENTRUN, PATIENCE_S, Desk, Refused, get
from .programs import NODE, python
from .rows import row


def is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True


@row("A32")
@pytest.mark.parametrize("template", ["helloworld", "node", "python"])
def test_a_template_is_a_project_that_runs_and_deploys_as_it_is(desk: Desk, template: str):
    name = f"from-{template}"
    made = desk.manage("init", serverName=name, targetPath=str(desk.root), template=template)
    folder = Path(made["projectDir"])
    assert folder == desk.root / name
    assert {str(path.relative_to(folder)) for path in folder.rglob("*")} == set(made["filesCreated"])
    assert f"name: {name}\n" in (folder / "s.yaml").read_text("utf-8")
    ran = desk.manage("run", serverName=name, targetPath=str(folder), runOptions={"port": 0})
    assert get(f"http://127.0.0.1:{ran['port']}").json() == {"message": f"Hello from {name}"}
    desk.manage("stop", serverName=name)
    done = desk.manage("deploy", serverName=name, targetPath=str(folder))
    assert get(done["accessUrl"]).json() == {"message": f"Hello from {name}"}
    desk.delete(name)
    assert "already, and nothing is overwritten" in desk.refused(
        "init", serverName=name, targetPath=str(folder)
    )


@row("A32")
@pytest.mark.parametrize(
    "path", ["relative", "{root}/../elsewhere", "/etc", "{root}/link", "", "{root}/a\0b"]
)
def test_a_path_that_leads_elsewhere_is_refused(desk: Desk, path: str):
    link = desk.root / "link"
    if not link.exists():
        link.symlink_to("/etc")
    before = sorted(desk.root.iterdir())
    for action in ("init", "download", "run", "deploy", "createAgent"):
        more: dict[str, Any] = {"agentConfig": {"agentName": "a"}} if action == "createAgent" else {}
        said = desk.refused(action, serverName="leads", targetPath=path.format(root=desk.root), **more)
        assert f"inside of {desk.root}" in said, (action, said)
    assert sorted(desk.root.iterdir()) == before


@row("A32")
def test_what_a_project_names_has_to_be_inside_too(desk: Desk):
    s_yaml = "resources: {a: {component: agentrun, props: {agent: {name: leak, code: {src: SRC, language: python3.11}}}}}"
    outside = desk.project("leak", {"s.yaml": s_yaml.replace("SRC", "../../..")})
    assert "code.src is" in desk.refused("deploy", serverName="leak", targetPath=outside)
    path = desk.project("leak-2", python())
    for config in ({"Dockerfile": "../../../etc/passwd"}, {"BuildDir": "/etc"}, {"BuildDir": "../.."}):
        said = desk.refused("deploy", serverName="leak", targetPath=path, serverConfig=config)
        assert f"inside of {desk.root}" in said, (config, said)


@row("A33")
@pytest.mark.parametrize("name", ["1bad", "ab", "a b c", "a" * 46, "a/../b"])
def test_a_name_against_the_rule_is_refused_before_anything_is_written(desk: Desk, name: str):
    before = sorted(desk.root.iterdir())
    assert "serverName: String should match pattern" in desk.refused(
        "init", serverName=name, targetPath=str(desk.root)
    )
    assert sorted(desk.root.iterdir()) == before


@row("A34")
def test_download_gives_back_the_same_bytes(desk: Desk):
    files = {**python(), "sub/data.txt": "ä\r\n", "run.sh": "#!/bin/sh\n"}
    desk.project("sent", files)
    (desk.root / "sent" / "run.sh").chmod(0o755)
    (desk.root / "sent" / "bytes").write_bytes(bytes(range(256)))
    desk.manage("deploy", serverName="sent", targetPath=str(desk.root / "sent"))
    got = desk.manage("download", serverName="sent", targetPath=str(desk.root / "got"))
    assert got["filesCount"] == 4
    for path in ("app.py", "sub/data.txt", "run.sh", "bytes"):
        assert (desk.root / "got" / path).read_bytes() == (desk.root / "sent" / path).read_bytes()
    assert os.access(desk.root / "got" / "run.sh", os.X_OK)
    (desk.root / "got" / "app.py").write_text("mine")
    assert "nothing was written" in desk.refused(
        "download", serverName="sent", targetPath=str(desk.root / "got")
    )
    assert (desk.root / "got" / "app.py").read_text() == "mine"
    desk.delete("sent")


@row("A1", "A35", "A39")
def test_run_waits_for_the_port_and_stop_frees_it(desk: Desk):
    schema = next(t for t in desk.portal.call(desk.client.list_tools).tools if t.name == "manageCloudRun")
    assert schema.input_schema["properties"]["runOptions"]["properties"]["port"]["default"] == 3000
    where: dict[str, Any] = {"serverName": "tried", "targetPath": desk.project("tried", python())}
    first = desk.manage("run", **where, runOptions={"port": 0})
    assert get(f"http://127.0.0.1:{first['port']}").json()["word"] == "one"
    again = desk.manage("run", **where, runOptions={"port": 0})
    assert (again["pid"], again["port"]) == (first["pid"], first["port"])
    assert desk.manage("logs", serverName="tried")["logs"] == ["it has started"]
    assert desk.manage("stop", serverName="tried")["status"] == "stopped"
    assert is_free(first["port"])
    assert desk.manage("logs", serverName="tried")["logs"] == ["it has started"]
    assert "was not started here" in desk.refused("stop", serverName="nobody")


@row("A36")
@pytest.mark.parametrize(
    ("program", "said"),
    [
        (
            "print('about to fail')\nraise SystemExit(3)",
            "exit code 3 before its port answered. Its last lines:\nabout to",
        ),
        ("import nowhere", "No module named 'nowhere'"),
        ("", "It printed nothing."),
    ],
)
def test_a_program_that_does_not_come_up_says_why(desk: Desk, program: str, said: str):
    path = desk.project("fails", {"app.py": program})
    assert said in desk.refused("run", serverName="fails", targetPath=path, runOptions={"port": 0})


@row("A36")
def test_nothing_is_left_of_a_program_that_did_not_come_up(desk: Desk):
    program = "import subprocess\nprint(subprocess.Popen(['sleep', '1000']).pid)\nraise SystemExit(3)\n"
    path = desk.project("orphans", {"app.py": program})
    said = desk.refused("run", serverName="orphans", targetPath=path, runOptions={"port": 0})
    child = said.partition("Its last lines:\n")[2].split()[0]
    until(lambda: not Path(f"/proc/{child}").exists())


@row("A1")
def test_port_3000_is_taken_unless_another_is_asked_for(desk: Desk):
    path = desk.project("usual", python())
    try:
        url = f"http://127.0.0.1:{desk.manage('run', serverName='usual', targetPath=path)['port']}"
    except Refused as refused:  # somebody on this machine has it
        assert "Port 3000 is taken" in str(refused)
    else:
        assert url.endswith(":3000") and get(url).status_code == 200
        desk.manage("stop", serverName="usual")


@row("A36")
def test_a_port_that_is_taken_is_named(desk: Desk):
    path = desk.project("taken", python())
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        said = desk.refused("run", serverName="taken", targetPath=path, runOptions={"port": port})
    assert f"Port {port} is taken" in said and "runOptions.port" in said


@row("A37")
def test_run_gives_variables_and_the_mode(desk: Desk):
    path = desk.project("told-of", python())
    options = {"port": 0, "envParams": {"MY_WORD": "w", "MY_NUMBER": 7}}
    ran = desk.manage("run", serverName="told-of", targetPath=path, runOptions=options)
    assert get(f"http://127.0.0.1:{ran['port']}").json()["variables"] == {"MY_WORD": "w", "MY_NUMBER": "7"}
    desk.manage("stop", serverName="told-of")


@row("A38")
def test_a_container_is_not_run_here(desk: Desk):
    path = desk.project("boxed", {**python(), "Dockerfile": "FROM python\nCMD python app.py\n"})
    said = desk.refused("run", serverName="boxed", targetPath=path)
    assert "container mode, which is not run here" in said and "action deploy" in said


@row("A39")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_what_runs_ends_with_the_session_however_that_ends(tmp_path: Path, number: int):
    folder = tmp_path / "p"
    folder.mkdir()
    (folder / "app.py").write_text(python()["app.py"], encoding="utf-8")
    lines = (
        '{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"manageCloudRun","arguments":{"action":"run",'
        f'"serverName":"left","targetPath":"{folder}","runOptions":{{"port":0}}}}}}}}\n'
    )
    with subprocess.Popen(
        [AGENTRUN, "mcp", "platform", "--root", str(tmp_path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, "TMPDIR": str(tmp_path)},
        text=True,
    ) as server:
        assert server.stdin is not None and server.stdout is not None and server.stderr is not None
        server.stdin.write(lines)
        server.stdin.flush()
        answer = httpx.Response(200, text=server.stdout.readline()).json()
        port = int(answer["result"]["content"][0]["text"].partition('"port":')[2].partition(",")[0])
        program = get(f"http://127.0.0.1:{port}").json()["pid"]
        server.send_signal(number)
        server.wait(PATIENCE_S)
        assert server.stderr.read() == "", "to be told to end is no failure"
        assert server.returncode in (0, -signal.SIGKILL)
    until(lambda: not Path(f"/proc/{program}").exists())
    assert is_free(port)


@row("A40")
@pytest.mark.parametrize(
    ("files", "command"),
    [
        ({"package.json": '{"scripts": {"start": "node serve.js"}}', "serve.js": NODE}, "node serve.js"),
        ({"package.json": '{"scripts": {"dev": "node serve.js"}}', "serve.js": NODE}, "node serve.js"),
        (
            {"package.json": '{"scripts": {"start": "N=1 node serve.js"}}', "serve.js": NODE},
            "; N=1 node serve.js",
        ),
        ({"index.js": NODE}, "node index.js"),
        ({"server.js": NODE, "package.json": "{}"}, "node server.js"),
        ({"main.py": python()["app.py"]}, "main.py"),
        ({"app.py": python()["app.py"]}, "app.py"),
    ],
)
def test_an_entry_is_found(desk: Desk, files: dict[str, str], command: str):
    name = f"entry{abs(hash(str(files))) % 10**6}"
    path = desk.project(name, files)
    ran = desk.manage("run", serverName=name, targetPath=path, runOptions={"port": 0})
    assert ran["command"].endswith(command)
    assert get(f"http://127.0.0.1:{ran['port']}").json()["word"] in ("node", "one")
    desk.manage("stop", serverName=name)


@row("A40")
@pytest.mark.parametrize(
    ("files", "said"),
    [
        ({"notes.txt": ""}, "Add one of index.js, app.js, server.js, main.js"),
        ({"package.json": "{"}, "package.json is no JSON"),
        (
            {
                "package.json": '{"dependencies": {"@cloudbase/aiagent-framework": "^1.0.0-beta.10"}}',
                "index.js": "",
            },
            "cannot be had from the registry any more. Make the bot anew with action createAgent",
        ),
    ],
)
def test_no_entry_says_what_was_looked_for(desk: Desk, files: dict[str, str], said: str):
    path = desk.project("no-entry", files)
    assert said in desk.refused("run", serverName="no-entry", targetPath=path)
    for name in files:
        (desk.root / "no-entry" / name).unlink()


def send_message(url: str, bot: str) -> str:
    """All that a bot says."""
    answer = httpx.post(f"{url}/v1/aibot/bots/{bot}/send-message", json={"msg": "hi"}, timeout=PATIENCE_S)
    assert answer.status_code == 200, answer.text
    return answer.text


@row("A45", "A37")
def test_a_created_agent_runs_and_deploys_with_no_edit(desk: Desk):
    config = {"agentName": "shop", "botTag": "t1", "description": 'Sells "things": all'}
    made = desk.manage("createAgent", serverName="shop-bot", targetPath=str(desk.root), agentConfig=config)
    folder = Path(made["projectDir"])
    assert made["botId"] == "ibot-shop-t1"
    assert all((folder / file).is_file() for file in made["filesCreated"])
    where: dict[str, Any] = {"serverName": "shop-bot", "targetPath": str(folder)}
    ran = desk.manage("run", **where, runOptions={"port": 0, "runMode": "agent"})
    assert "You said: " in send_message(f"http://127.0.0.1:{ran['port']}", "ibot-shop-t1")
    desk.manage("stop", serverName="shop-bot")
    done = desk.manage("deploy", **where)
    said = send_message(done["accessUrl"], "ibot-shop-t1")
    assert said.rstrip().endswith("data: [DONE]") and '"record_id"' in said
    other = httpx.post(f"{done['accessUrl']}/v1/aibot/bots/ibot-other-t1/send-message", json={"msg": "hi"})
    assert other.status_code == 404, "it is that bot and no other"
    (agent,) = desk.call("queryAgents", {"action": "listAgents"})["agents"]
    assert (agent["agentId"], agent["description"]) == ("ibot-shop-t1", 'Sells "things": all')
    desk.delete("shop-bot")


@row("A46", "A64")
@pytest.mark.parametrize(
    ("config", "said"),
    [
        ({"agentName": "a-b", "botTag": "c"}, "ibot-a-b-c' is no bot id: it has 4 parts between dashes"),
        ({"agentName": "a b", "botTag": "c"}, "Did you mean ibot-a_b-c?"),
        ({"agentName": "a", "botTag": "T"}, "its tag has 'T'"),
        ({"agentName": "", "botTag": "t"}, "its name is empty"),
        ({"agentName": "a", "template": "helloworld"}, "There is no template 'helloworld'. There are: blank"),
    ],
)
def test_a_wrong_id_is_refused_before_anything_is_written(desk: Desk, config: dict[str, str], said: str):
    before = sorted(desk.root.iterdir())
    assert said in desk.refused(
        "createAgent", serverName="unborn", targetPath=str(desk.root), agentConfig=config
    )
    assert sorted(desk.root.iterdir()) == before


def test_a_run_checks_the_bots_id_too(desk: Desk):
    path = desk.project("bot-run", python())
    options = {"port": 0, "runMode": "agent", "agentId": "ibot-a-b-c"}
    assert "is no bot id" in desk.refused("run", serverName="bot-run", targetPath=path, runOptions=options)
