"""`agentrun mcp`, as a program with MCP tools starts it: the agent is a tool over stdin and stdout."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import mcp_types as types
import pytest
from mcp import Client, StdioServerParameters
from patience import PATIENCE_S

AGENTRUN = str(Path(sys.executable).with_name("agentrun"))
APP = """
import asyncio
from agentrun import AgentRunServer, events


async def invoke_agent(request):
    print("this is not for stdout")
    if request.text == "ask":
        yield events.InputRequired("Sure?", "i1")
        return
    yield "You "
    await asyncio.sleep(0)
    yield f"said: {request.text}"


AgentRunServer(invoke_agent=invoke_agent).start()
"""
pytestmark = pytest.mark.anyio


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "app.py").write_text(APP, encoding="utf-8")
    return tmp_path


def server(project: Path, *arguments: str, **environment: str) -> StdioServerParameters:
    kept = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    return StdioServerParameters(
        command=AGENTRUN, args=["mcp", *arguments], cwd=str(project), env={**kept, **environment}
    )


def text_of(result: types.CallToolResult) -> str:
    return "".join(part.text for part in result.content if isinstance(part, types.TextContent))


@pytest.mark.parametrize("mode", ["auto", "legacy"])
async def test_a_projects_agent_is_a_tool(project: Path, mode: Any):
    told: list[str] = []

    async def tell(progress: float, total: float | None, message: str | None) -> None:
        told.append(message or "")

    async def answer(context: Any, params: Any) -> types.ElicitResult:
        return types.ElicitResult(action="accept", content={"answer": "yes"})

    async with Client(server(project), mode=mode, elicitation_callback=answer) as client:
        (tool,) = (await client.list_tools()).tools
        result = await client.call_tool(tool.name, {"message": "hi"}, progress_callback=tell)
        assert text_of(result) == "You said: hi"
        assert "".join(told) == "You said: hi"
        assert text_of(await client.call_tool(tool.name, {"message": "ask"})) == "You said: yes"


async def test_the_projects_own_keys_are_used(project: Path):
    async with Client(server(project, AGENTRUN_API_KEYS="secret")) as client:
        assert text_of(await client.call_tool("ask_agentrun", {"message": "hi"})) == "You said: hi"


def test_what_is_wrong_is_said_in_one_line(tmp_path: Path):
    (tmp_path / "app.py").write_text("raise SystemExit(3)", encoding="utf-8")
    for arguments, expected in ((["mcp"], "exit code 3"), (["mcp", "nowhere"], "no agent at nowhere")):
        done = subprocess.run(
            [AGENTRUN, *arguments],
            cwd=tmp_path,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=PATIENCE_S,
        )
        assert done.returncode != 0
        assert expected in done.stderr
        assert "Traceback" not in done.stderr
        assert done.stdout == ""


def test_what_is_no_message_is_answered_and_the_end_of_stdin_is_the_end(project: Path):
    lines = '?\n[]\n{"jsonrpc":"2.0","id":1,"method":"ping"}\n'
    with subprocess.Popen(
        [AGENTRUN, "mcp"], cwd=project, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdin is not None and process.stdout is not None
        process.stdin.write(lines)
        process.stdin.flush()
        answers = [process.stdout.readline() for _ in range(3)]
        process.stdin.close()
        assert process.wait(PATIENCE_S) == 0
    assert ["-32700" in answer for answer in answers] == [True, True, False]
    assert '"id":1' in answers[2]
