"""docs/platform-mcp.md: its files start the server, its calls are answered in its order, its table has every action."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any, get_args

import anyio
import pytest
from mcp import Client, StdioServerParameters

from agentrun.cli.mcp_platform import arguments

from .conftest import AGENTRUN, opened

PAGE = Path(__file__).parents[3] / "docs" / "platform-mcp.md"
BLOCKS: list[dict[str, Any]] = [
    json.loads(text)
    for text in re.findall(r"^```json\n(.*?)^```$", PAGE.read_text("utf-8"), re.MULTILINE | re.DOTALL)
]


def test_every_call_of_the_page_is_answered(tmp_path: Path):
    calls = [block for block in BLOCKS if "name" in block]
    with opened(tmp_path) as desk:
        for call in calls:
            written = json.dumps(call["arguments"]).replace("/absolute/path", str(desk.root))
            desk.call(call["name"], json.loads(written))
        assert desk.query("list")["pagination"]["total"] == 0


@pytest.mark.parametrize(
    "block", [block for block in BLOCKS if "name" not in block], ids=lambda block: next(iter(block))
)
def test_every_file_of_the_page_starts_the_server(tmp_path: Path, block: dict[str, Any]):
    (servers,) = block.values()
    server = servers["agentrun"]
    assert server["command"] == "agentrun"
    words = [str(tmp_path) if word == "/absolute/path" else word for word in server["args"]]

    async def tools() -> list[str]:
        async with Client(StdioServerParameters(command=AGENTRUN, args=words)) as client:
            return [tool.name for tool in (await client.list_tools()).tools]

    assert anyio.run(tools) == ["queryCloudRun", "manageCloudRun", "queryAgents", "manageAgents"]


@pytest.mark.parametrize(
    "kind", [arguments.QueryCloudRun, arguments.ManageCloudRun, arguments.QueryAgents, arguments.ManageAgents]
)
def test_every_action_is_in_the_table(kind: Any):
    table = "".join(re.findall(r"^\|.*\|$", PAGE.read_text("utf-8"), re.MULTILINE))
    assert [
        action for action in get_args(kind.model_fields["action"].annotation) if f"`{action}`" not in table
    ] == []
