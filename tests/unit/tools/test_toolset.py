"""Toolsets by name: functions, OpenAPI, MCP; what they send, what they refuse, what the model is told."""

import asyncio
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Annotated, Any, Literal

import mcp_servers
import pytest
from patience import PATIENCE_S
from pydantic import BaseModel, Field

from agentrun.errors import ConfigError, ToolFailed
from agentrun.tools import names, toolset
from agentrun.tools.functions import tool_of

pytestmark = pytest.mark.usefixtures("project")

# --- functions


class Place(BaseModel):
    city: str
    country: str = "IT"


def describe(
    place: Place, days: Annotated[int, Field(description="How long", ge=1)] = 3, unit: Literal["c", "f"] = "c"
) -> dict[str, Any]:
    """Describe a trip."""
    return {"to": f"{place.city}, {place.country}", "days": days, "unit": unit}


def test_a_function_tells_its_schema():
    tool = tool_of(describe)
    assert (tool.name, tool.description) == ("describe", "Describe a trip.")
    assert tool.parameters["required"] == ["place"]
    assert tool.parameters["properties"]["days"]["description"] == "How long"


async def test_arguments_become_what_the_function_wants():
    output = await tool_of(describe).call({"place": {"city": "Rome"}, "days": "2"})
    assert json.loads(output) == {"to": "Rome, IT", "days": 2, "unit": "c"}


async def test_wrong_arguments_are_told_to_the_model():
    told = await tool_of(describe).tell({"place": {}, "days": 0})
    assert told.startswith("Error: place.city: Field required; days:")


async def test_what_an_exception_says_stays_here():
    def leaky() -> str:
        raise RuntimeError("the key is s3cret")

    with pytest.raises(ToolFailed, match="leaky failed with RuntimeError"):
        await tool_of(leaky).call({})


async def test_async_functions_and_sync_callers():
    async def double(n: int) -> int:
        return 2 * n

    assert await tool_of(double).call({"n": 4}) == "8"
    assert await asyncio.to_thread(tool_of(double).call_sync, {"n": 4}) == "8"


def test_what_has_no_named_parameters_is_no_tool():
    with pytest.raises(ConfigError, match="cannot be a tool: its parameter args"):
        tool_of(lambda *args: "x", name="any")


def test_a_toolset_of_functions_by_name(project: Path, monkeypatch: pytest.MonkeyPatch):
    (project / "my_tools_module.py").write_text(
        'def hello(name: str) -> str:\n    "Greet."\n    return f"hi {name}"\n'
    )
    (project / "agentrun.yaml").write_text("tools:\n  mine:\n    functions: my_tools_module:hello\n")
    monkeypatch.syspath_prepend(str(project))
    found = toolset("mine", prefix="my_")
    assert [tool.name for tool in found] == ["my_hello"]
    assert found["my_hello"].call_sync({"name": "Ada"}) == "hi Ada"
    assert names() == {"mine": "agentrun.yaml:2"}
    assert len(toolset("mine", filter_tools_by_name=lambda name: name != "hello")) == 0


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("tools:\n  t: {}\n", 'agentrun.yaml:2: "t" is wrong: it needs one of functions, mcp, openapi'),
        ("tools:\n  t:\n    mpc: x\n", 'agentrun.yaml:3: "t" has no key mpc. Did you mean mcp?'),
        ("tools:\n  t:\n    functions: nowhere\n", "agentrun.yaml:2: 'nowhere' is no function"),
        ("tools:\n  t:\n    functions: json:nothing\n", "json:nothing cannot be loaded"),
        ("tools:\n  t:\n    openapi: missing.yaml\n", "agentrun.yaml:2: missing.yaml cannot be read"),
        ("tools:\n  other:\n    functions: json:dumps\n", 'There is no toolset "t"; there are: other.'),
    ],
)
def test_a_mistake_is_answered_with_its_place(project: Path, text: str, message: str):
    (project / "agentrun.yaml").write_text(text)
    with pytest.raises(ConfigError) as caught:
        toolset("t")
    assert message in str(caught.value)


# --- OpenAPI

DOCUMENT: dict[str, Any] = {
    "openapi": "3.1.0",
    "info": {"title": "Pets", "version": "1"},
    "paths": {
        "/pets/{id}": {
            "parameters": [{"name": "id", "in": "path", "required": True, "schema": {"type": "string"}}],
            "get": {
                "operationId": "get_pet",
                "summary": "One pet.",
                "parameters": [
                    {
                        "name": "fields",
                        "in": "query",
                        "schema": {"type": "array", "items": {"type": "string"}},
                    }
                ],
            },
        },
        "/pets": {
            "post": {
                "operationId": "add_pet",
                "requestBody": {
                    "required": True,
                    "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Pet"}}},
                },
            },
            "get": {"summary": "All pets."},
        },
        "/away": {"get": {"operationId": "away"}},
        "/broken": {"get": {"operationId": "broken"}},
        "/large": {"get": {"operationId": "large"}},
    },
    "components": {
        "schemas": {
            "Pet": {
                "type": "object",
                "properties": {"name": {"type": "string"}, "parent": {"$ref": "#/components/schemas/Pet"}},
                "required": ["name"],
            }
        }
    },
}


class Api(BaseHTTPRequestHandler):
    asked: list[tuple[str, str, dict[str, str], bytes]] = []

    def do_GET(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length") or 0))
        self.asked.append((self.command, self.path, dict(self.headers.items()), body))
        status, headers, answer = 200, {}, b'{"ok": true}'
        if self.path == "/away":
            status, headers = 302, {"location": "http://127.0.0.1:1/"}
        elif self.path == "/broken":
            status, answer = 500, b"broken"
        elif self.path == "/large":
            answer = b"x" * 5000
        elif self.path == "/openapi.json":
            answer = json.dumps(DOCUMENT).encode()
        self.send_response(status)
        for name, value in {**headers, "content-length": str(len(answer))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(answer)

    do_POST = do_GET

    def log_message(self, format: str, *args: Any) -> None: ...


@pytest.fixture
def api() -> Iterator[str]:
    Api.asked.clear()
    server = ThreadingHTTPServer(("127.0.0.1", 0), Api)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def pets(project: Path, **more: Any) -> Any:
    (project / "pets.json").write_text(json.dumps(DOCUMENT))
    return toolset("pets", openapi="pets.json", **more)


def test_operations_are_tools(project: Path):
    found = pets(project, base_url="http://h")
    assert sorted(tool.name for tool in found) == [
        "add_pet",
        "away",
        "broken",
        "get_pet",
        "get_pets",
        "large",
    ]
    assert found["get_pet"].parameters["required"] == ["id"]
    assert found["get_pet"].description == "One pet."
    assert found["add_pet"].parameters["properties"]["body"]["required"] == ["name"]


async def test_arguments_go_where_the_document_says(project: Path, api: str):
    found = pets(
        project, base_url=api, headers={"x-key": "s3cret"}, query={"v": "2"}, only=["get_pet", "add_pet"]
    )
    assert [tool.name for tool in found] == ["get_pet", "add_pet"]
    assert await found["get_pet"].call({"id": "a/../b?c", "fields": ["x", "y"]}) == '{"ok": true}'
    await found["add_pet"].call({"body": {"name": "Rex"}})
    (_, first, headers, _), (method, second, _, body) = Api.asked
    assert first == "/pets/a%2F..%2Fb%3Fc?fields=x&fields=y&v=2" and headers["x-key"] == "s3cret"
    assert (method, second, json.loads(body)) == ("POST", "/pets?v=2", {"name": "Rex"})


async def test_the_model_is_told_what_went_wrong(project: Path, api: str):
    found = pets(project, base_url=api, max_bytes=1000)
    assert await found["broken"].tell({}) == "Error: HTTP 500: broken"
    assert "redirects elsewhere" in await found["away"].tell({})
    assert await found["get_pet"].tell({"id": ".."}) == "Error: id cannot be '..'."
    assert await found["get_pet"].tell({}) == "Error: id has to be given."
    assert (await found["large"].tell({})).endswith("x\n[cut off]")


async def test_a_document_cannot_point_inside_the_network(project: Path, api: str):
    (project / "evil.json").write_text(json.dumps({**DOCUMENT, "servers": [{"url": api}]}))
    told = await toolset("evil", openapi="evil.json")["broken"].tell({})
    assert "inside the network" in told and Api.asked == []
    allowed = toolset("evil", openapi="evil.json", allow_private=True)
    assert await allowed["broken"].tell({}) == "Error: HTTP 500: broken"


def test_a_document_is_fetched(api: str):
    assert len(toolset("pets", openapi=f"{api}/openapi.json")) == 6


def test_a_document_that_says_nowhere_is_refused(project: Path):
    with pytest.raises(ConfigError, match="does not say where the API is. Add base_url"):
        pets(project)
    with pytest.raises(ConfigError, match="has no operation nothing. There are: get_pet"):
        pets(project, base_url="http://h", only=["nothing"])


# --- MCP


@pytest.fixture
def mcp_url() -> Iterator[str]:
    with mcp_servers.served() as url:
        yield url


STDIO = {"command": mcp_servers.COMMAND, "env": {"GIVEN": "yes"}}


async def test_tools_of_an_mcp_server_over_http(mcp_url: str):
    found = toolset("m", mcp=mcp_url, headers={"authorization": "Bearer x"}, only=["add", "fail"])
    assert [tool.name for tool in found] == ["add", "fail"]
    assert found["add"].parameters["required"] == ["a", "b"]
    assert await found["add"].call({"a": 1, "b": 2}) == "3"
    with pytest.raises(ToolFailed, match="Error executing tool fail"):
        await found["fail"].call({})


@pytest.mark.parametrize("headers", [{}, {"x-team": "blue"}])
async def test_a_tool_over_http_may_take_its_time(mcp_url: str, headers: dict[str, str]):
    found = toolset("m", mcp=mcp_url, headers=headers, only=["take_long"])
    assert await found["take_long"].call({"seconds": 6}) == "done"  # longer than httpx waits of itself


async def test_one_process_serves_all_calls_and_sees_no_secrets(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("AGENTRUN_SECRET", "s3cret")
    found = toolset("m", mcp=STDIO)
    answers = await asyncio.gather(*(found["process"].call({}) for _ in range(3)))
    assert len(set(answers)) == 1 and answers[0].endswith(" yes None")


async def test_a_server_that_died_is_started_again():
    found = toolset("m", mcp={**STDIO}, timeout_s=PATIENCE_S)
    before = await found["process"].call({})
    assert (await found["leave"].tell({})).startswith("Error: ")
    after = await found["process"].call({})
    assert before.split()[0] != after.split()[0]


def test_a_server_that_is_not_there_is_a_mistake_in_the_configuration(project: Path):
    (project / "agentrun.yaml").write_text("tools:\n  m:\n    mcp: http://127.0.0.1:9/mcp\n")
    with pytest.raises(ConfigError, match="agentrun.yaml:2: the MCP server gives no tools: "):
        toolset("m")


def test_the_environment_may_name_a_server(mcp_url: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("AGENTRUN_TOOLS_MY_TOOLS", mcp_url)
    assert "add" in [tool.name for tool in toolset("my-tools")]
