"""Tools in a sandbox: real sandboxes, under a real server, in each framework."""

from __future__ import annotations

import asyncio
import json
import os
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from importlib import import_module
from pathlib import Path
from typing import Any

import httpx
import pytest
from frameworks import BUILDERS
from patience import PATIENCE_S

from agentrun.errors import ConfigError, SandboxUnavailable
from agentrun.integration.sandboxes import sandbox_tools
from agentrun.sandbox import SyncSandbox, Template, TemplateType, records
from agentrun.server import AgentRequest, AgentRunServer
from agentrun.tools import Toolset
from agentrun.tools.calling import called_as

pytestmark = pytest.mark.usefixtures("project")


@pytest.fixture(scope="module", autouse=True)
def possible() -> None:
    try:
        SyncSandbox.create(warm=0).close()
    except SandboxUnavailable as error:
        pytest.skip(str(error))


@pytest.fixture
def made() -> Callable[..., Toolset]:
    """made(...) is sandbox_tools, without sandboxes kept ready."""

    def make(template: Any = None, **options: Any) -> Toolset:
        options = {"sandbox_idle_timeout_seconds": 30, **options}
        return sandbox_tools(template or Template.model_validate({"warm": 0}), **options)

    return make


class Client:
    """Asks a served agent, and reads the Runs."""

    def __init__(self, http: httpx.AsyncClient) -> None:
        self.http = http

    async def ask(self, question: str, session: str | None = None) -> tuple[str, list[dict[str, Any]]]:
        """The answer and the events."""
        headers = {} if session is None else {"x-session-id": session}
        body = {"messages": [{"role": "user", "content": question}]}
        answer = await self.http.post("/openai/v1/chat/completions", json=body, headers=headers)
        assert answer.status_code == 200, answer.text
        run = await self.http.get(f"/runs/{answer.headers['x-run-id']}")
        return answer.json()["choices"][0]["message"]["content"], run.json()["events"]


@asynccontextmanager
async def served(invoke_agent: Any) -> AsyncIterator[Client]:
    app = AgentRunServer(invoke_agent=invoke_agent).as_fastapi_app()
    transport = httpx.ASGITransport(app)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=transport, base_url="http://agent", timeout=PATIENCE_S) as http,
    ):
        yield Client(http)


def caller(tools: Toolset) -> Callable[[AgentRequest], Any]:
    """An agent whose user says which tool to call: its name, a space, and the arguments."""

    async def invoke_agent(request: AgentRequest) -> Any:
        name, _, arguments = request.text.partition(" ")
        with called_as(name, "c1"):
            return await tools[name].tell(json.loads(arguments or "{}"))

    return invoke_agent


def run_code(code: str, **arguments: Any) -> str:
    return f"run_code {json.dumps({'code': code, **arguments})}"


def results(events: list[dict[str, Any]]) -> list[list[str]]:
    """The pieces of each tool's result."""
    found: dict[str, list[str]] = {}
    for event in events:
        if event["type"] == "part.started" and event.get("kind") == "tool_result":
            found[event["id"]] = []
        elif event["type"] == "part.delta" and event["id"] in found:
            found[event["id"]].append(event["text"])
    return list(found.values())


def running() -> set[str]:
    """The ids of the sandboxes of this process."""
    return {record.id for record in records.every() if record.owner.pid == os.getpid()}


async def gone(before: set[str]) -> None:
    """Wait until there are no others than before."""
    end = time.monotonic() + PATIENCE_S
    while running() - before:
        assert time.monotonic() < end
        await asyncio.sleep(0.02)


# --- what the model is told


async def test_the_tools_do_what_they_say(made: Callable[..., Toolset]):
    tools = made()
    assert [tool.name for tool in tools] == [
        "run_code",
        "run_command",
        "read_file",
        "write_file",
        "list_files",
    ]
    assert await tools["write_file"].call({"path": "a/b.txt", "content": "hé\n"}) == (
        "/home/user/a/b.txt has 4 bytes."
    )
    assert await tools["read_file"].call({"path": "a/b.txt"}) == "hé\n"
    assert await tools["list_files"].call({"path": "a"}) == "/home/user/a/b.txt  4"
    assert await tools["run_command"].call({"command": "cat b.txt; exit 3", "cwd": "a"}) == (
        "hé\n[exit code 3]"
    )
    assert await tools["run_code"].call({"code": "print('one')\nx = 6\nx * 7"}) == "one\n42"
    assert await tools["run_code"].call({"code": "y = x"}) == "[no output]"
    assert await tools["run_code"].call({"code": "echo $((6*7))", "language": "bash"}) == "42"


async def test_errors_are_told(made: Callable[..., Toolset]):
    tools = made()
    assert "ZeroDivisionError" in await tools["run_code"].call({"code": "1 / 0"})
    assert "TimeoutError" in await tools["run_code"].call({"code": "while True: pass", "timeout": 0.2})
    assert "[stopped after" in await tools["run_command"].call({"command": "sleep 60", "timeout": 0.2})
    assert (await tools["read_file"].tell({"path": "nothing"})).startswith("Error: ")
    assert (await tools["run_code"].tell({"cod": "1"})).startswith("Error: code: Field required")
    await tools["run_command"].call({"command": "head -c 9 /dev/urandom | tr '\\0-\\377' '\\377' > odd"})
    assert await tools["read_file"].call({"path": "odd"}) == "[odd is no text: 9 bytes]"
    await tools["run_command"].call({"command": "head -c 9m /dev/zero > large"})
    assert "Read a part of it with a command." in await tools["read_file"].tell({"path": "large"})


async def test_too_much_is_cut_in_the_middle(made: Callable[..., Toolset]):
    tools = made(max_output_chars=100)
    told = await tools["run_code"].call({"code": "print('a' * 80 + 'b' * 1000 + 'c' * 80)"})
    assert told.startswith("a" * 50) and told.endswith("c" * 50)
    assert "characters are left out here]" in told and len(told) < 200
    await tools["write_file"].call({"path": "long", "content": "d" * 500})
    assert "[400 characters are left out here]" in await tools["read_file"].call({"path": "long"})


async def test_a_sandbox_that_is_lost_is_replaced_and_the_model_told(made: Callable[..., Toolset]):
    tools = made(Template.model_validate({"warm": 0, "max_life_s": 3}))
    told = await tools["run_command"].tell({"command": "echo on; sleep 600", "timeout": PATIENCE_S})
    assert "the next call gets a new sandbox" in told or "[exit code -9]" in told
    told = await tools["run_code"].call({"code": "'x' in globals()"})
    assert told.startswith("[This is a new sandbox: its longest life is over") and told.endswith("False")
    while (told := await tools["run_code"].call({"code": "1"})) != "1":
        assert told.startswith("[This is a new sandbox"), (
            "it says so once, and again only if that one's life is over"
        )


async def test_one_that_was_idle_too_long_is_replaced(made: Callable[..., Toolset]):
    tools = made(sandbox_idle_timeout_seconds=0.01)
    before = running()
    await tools["run_code"].call({"code": "x = 1"})
    await gone(before)
    assert "it was idle for 0.01 s in the one before" in await tools["run_code"].call({"code": "1"})


async def test_without_isolation_the_model_is_told_and_nothing_runs(made: Callable[..., Toolset]):
    tools = made(Template.model_validate({"backend": "nowhere", "warm": 0}))
    assert (await tools["run_code"].tell({"code": "1"})).startswith("Error: ")


# --- whose sandbox


async def test_each_session_has_its_own(made: Callable[..., Toolset]):
    async with served(caller(made())) as client:
        assert await client.ask(run_code("x = 'ada'"), "s1") != ""
        assert (await client.ask(run_code("x"), "s1"))[0] == "'ada'"
        assert "NameError" in (await client.ask(run_code("x"), "s2"))[0]
        await client.ask(run_code("x = 'none'"))
        assert "NameError" in (await client.ask(run_code("x")))[0]


async def test_a_session_of_the_same_name_with_another_key_is_another(
    made: Callable[..., Toolset], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("AGENTRUN_API_KEYS", "key-of-ada-123456,key-of-bob-123456")
    async with served(caller(made())) as client:
        client.http.headers["authorization"] = "Bearer key-of-ada-123456"
        await client.ask(run_code("x = 'secret'"), "s1")
        client.http.headers["authorization"] = "Bearer key-of-bob-123456"
        assert "NameError" in (await client.ask(run_code("x"), "s1"))[0]


async def test_a_cancelled_run_stops_its_code(made: Callable[..., Toolset]):
    tools, begun = made(), asyncio.Event()
    loop = asyncio.get_running_loop()

    async def invoke_agent(request: AgentRequest) -> str:
        loop.call_soon_threadsafe(begun.set)
        return await tools["run_code"].tell({"code": "import time\nfor _ in range(600): time.sleep(0.1)"})

    before = running()
    async with served(invoke_agent) as client:
        asking = asyncio.ensure_future(client.ask("go"))
        await begun.wait()
        [run] = (await client.http.get("/runs")).json()["data"]
        await client.http.post(f"/runs/{run['id']}/cancel")
        await asking
        await gone(before)


async def test_without_a_session_it_ends_with_the_run(made: Callable[..., Toolset]):
    before = running()
    async with served(caller(made())) as client:
        await client.ask(run_code("x = 1"))
        await gone(before)


@pytest.mark.parametrize("scope", ["shared", lambda request: request.user_id or ""], ids=["shared", "key"])
async def test_others_may_share_one(made: Callable[..., Toolset], scope: Any):
    async with served(caller(made(scope=scope))) as client:
        await client.ask(run_code("x = 'ada'"), "s1")
        assert (await client.ask(run_code("x"), "s2"))[0] == "'ada'"


async def test_each_run_may_have_its_own(made: Callable[..., Toolset]):
    async with served(caller(made(scope="run"))) as client:
        await client.ask(run_code("x = 'ada'"), "s1")
        assert "NameError" in (await client.ask(run_code("x"), "s1"))[0]


async def test_there_are_no_more_than_so_many(made: Callable[..., Toolset]):
    async with served(caller(made(max_sandboxes=1))) as client:
        await client.ask(run_code("x = 1"), "s1")
        await client.ask(run_code("x = 2"), "s2")
        answer = (await client.ask(run_code("'x' in globals()"), "s1"))[0]
        assert answer.startswith("[This is a new sandbox: ") and answer.endswith("False")


def test_a_mistake_is_found_when_the_tools_are_made(made: Callable[..., Toolset]):
    with pytest.raises(ConfigError, match="is of type CodeInterpreter, not Browser"):
        sandbox_tools("code", template_type=TemplateType.BROWSER)
    with pytest.raises(ConfigError, match="scope is 'user'"):
        made(scope="user")


def test_a_name_of_nothing_stands_for_the_built_in_one_only_where_nothing_is_configured(
    made: Callable[..., Toolset], project: Path, monkeypatch: pytest.MonkeyPatch
):
    assert [tool.name for tool in sandbox_tools("my-sandbox")] == [tool.name for tool in made()]
    refused = pytest.raises(ConfigError, match='There is no sandbox template "my-sandbox"')
    with monkeypatch.context() as production, refused:
        production.setenv("AGENTRUN_PROFILE", "prod")
        sandbox_tools("my-sandbox")
    (project / "agentrun.yaml").write_text("sandboxes:\n  another: {}\n", "utf-8")
    with pytest.raises(ConfigError, match='There is no sandbox template "my-sandbox"'):
        sandbox_tools("my-sandbox")


# --- what is made


async def test_an_image_gets_a_url(made: Callable[..., Toolset], tmp_path: Path):
    code = (
        "class Dot:\n"
        "    def _repr_mimebundle_(self, **_):\n"
        "        return {'image/svg+xml': '<svg xmlns=\"http://www.w3.org/2000/svg\"/>'}\n"
        "Dot()"
    )
    async with served(caller(made(local_artifact_dir=str(tmp_path / "made")))) as client:
        answer, events = await client.ask(run_code(code))
        [about] = [event["value"] for event in events if event["type"] == "custom"]
        assert answer == f"[image: {about['url']}]"
        image = await client.http.get(about["url"])
        assert image.text.startswith("<svg") and image.headers["content-type"] == "image/svg+xml"
        assert image.headers["content-security-policy"].startswith("sandbox;")
        assert (await client.http.get(about["url"] + "x")).status_code == 404
    [saved] = (tmp_path / "made").iterdir()
    assert saved.read_bytes() == image.content


# --- the original's


async def test_the_original_names(made: Callable[..., Toolset]):
    tools = made(original_names=True)
    assert len(tools) == 19
    assert await tools["health"].call({}) == "ok"
    assert await tools["execute_code"].call({"code": "6 * 7"}) == "42"
    context = json.loads(await tools["create_context"].call({"language": "python"}))
    assert await tools["run_code"].call({"code": "a = 1\na", "context_id": context["id"]}) == "1"
    assert context["id"] in await tools["list_contexts"].call({})
    assert json.loads(await tools["get_context"].call({"context_id": context["id"]})) == context
    assert await tools["delete_context"].call({"context_id": context["id"]}) == "done"
    assert "There is no context" in await tools["get_context"].tell({"context_id": context["id"]})
    given = {"path": "d/x", "content": "aGk=", "encoding": "base64", "mode": "600"}
    await tools["write_file"].call(given)
    assert await tools["read_file"].call({"path": "d/x"}) == "hi"
    assert json.loads(await tools["file_system_stat"].call({"path": "d/x"}))["mode"] & 0o777 == 0o600
    await tools["file_system_mkdir"].call({"path": "e"})
    await tools["file_system_move"].call({"source": "d/x", "destination": "e/y"})
    assert await tools["list_directory"].call({"path": "e"}) == "/home/user/e/y  2"
    assert "/home/user/e/y  2" in await tools["file_system_list"].call({"path": ".", "depth": 2})
    await tools["file_system_remove"].call({"path": "e"})
    command = "sleep 600 >/dev/null 2>&1 & echo $!"
    pid = int(await tools["process_exec_cmd"].call({"command": command}))
    assert "sleep 600" in await tools["process_stat"].call({"pid": pid})
    assert await tools["process_kill"].call({"pid": pid}) == "done"
    assert json.loads(await tools["process_list"].call({})) is not None
    assert "There is no process 99999" in await tools["process_stat"].tell({"pid": 99999})
    assert "is no base64" in await tools["write_file"].tell({**given, "content": "?"})


# --- in each framework


@pytest.fixture(params=BUILDERS)
def framework(request: pytest.FixtureRequest) -> str:
    return request.param


async def test_the_guides_question_by_code(framework: str):
    BUILDERS[framework]("builtin")  # skips where the framework is not installed
    module = import_module(f"agentrun.integration.{framework}")
    tools = module.sandbox_toolset(
        template_name="code",
        template_type=module.TemplateType.CODE_INTERPRETER,
        sandbox_idle_timeout_seconds=300,
    )
    async with served(BUILDERS[framework]("builtin", tools)) as client:
        answer, events = await client.ask("通过代码查询现在是几点?", "s1")
        [result] = results(events)
        assert "".join(result).strip() in answer and "20" in answer
        # where a framework asks for every argument, the first number is the timeout
        code = "import time\nwait = 30 / 10\nprint('one', flush=True)\ntime.sleep(wait)\nprint('two')\nopen('kept', 'w').close()"
        _, events = await client.ask(f"Please run_code\n```python\n{code}\n```", "s1")
        [result] = results(events)
        assert ["".join(result), result[0]] == ["one\ntwo", "one"], "as it comes, and once"
        answer, _ = await client.ask('Please list_files "."', "s1")
        assert "/home/user/kept" in answer, "it is the same sandbox"
