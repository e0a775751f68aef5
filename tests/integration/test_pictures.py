"""What code in a sandbox draws reaches the model as an image, in each framework; a model without eyes has the note."""

from __future__ import annotations

import base64
import json
from importlib import import_module
from pathlib import Path
from typing import Any

import httpx
import pytest
from fake_upstream import Answer, FakeUpstream, failed, said
from frameworks import BUILDERS
from patience import PATIENCE_S

from agentrun.errors import SandboxUnavailable
from agentrun.sandbox import SyncSandbox
from agentrun.server import AgentRunServer

PNG = b"\x89PNG\r\n\x1a\n is how one begins"
DRAW = f"class Dot:\n    def _repr_png_(self):\n        return {PNG!r}\nDot()"
SHOWN = f"data:image/png;base64,{base64.b64encode(PNG).decode()}"


@pytest.fixture(params=BUILDERS)
def framework(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture
def agent(framework: str, project: Path, upstream: FakeUpstream) -> Any:
    """An agent of this framework with the tools of a sandbox, and a model that draws first."""
    BUILDERS[framework]("builtin")  # skips where the framework is not installed
    try:
        SyncSandbox.create(warm=0).close()
    except SandboxUnavailable as error:
        pytest.skip(str(error))
    models = f"models:\n  scripted:\n    base_url: {upstream.url}\n    model: any\n"
    (project / "agentrun.yaml").write_text(models, encoding="utf-8")
    upstream.script = [draws("c1")]
    upstream.then = said("A dot.")
    module = import_module(f"agentrun.integration.{framework}")
    return BUILDERS[framework]("scripted", module.sandbox_toolset(template_name="code"))


def draws(call_id: str) -> Answer:
    function = {"name": "run_code", "arguments": json.dumps({"code": DRAW})}
    call = {"index": 0, "id": call_id, "type": "function", "function": function}
    return Answer(deltas=[{"tool_calls": [call]}], finish="tool_calls")


async def ask(agent: Any) -> str:
    app = AgentRunServer(invoke_agent=agent).as_fastapi_app()
    transport = httpx.ASGITransport(app)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=transport, base_url="http://agent", timeout=PATIENCE_S) as http,
    ):
        body = {"messages": [{"role": "user", "content": "Draw a dot."}]}
        answer = await http.post("/openai/v1/chat/completions", json=body)
        return answer.json()["choices"][0]["message"]["content"]


def images(asked: dict[str, Any]) -> list[str]:
    """The images in a request, and who shows them."""
    contents = [(message["role"], message["content"]) for message in asked["messages"]]
    parts = [(role, part) for role, content in contents if isinstance(content, list) for part in content]
    return [f"{role}: {part['image_url']['url']}" for role, part in parts if part["type"] == "image_url"]


async def test_the_model_sees_what_its_code_has_drawn(agent: Any, upstream: FakeUpstream):
    assert await ask(agent) == "A dot."
    _, asked = upstream.asked
    assert images(asked) == [f"user: {SHOWN}"]
    assert "[image: /runs/run_" in json.dumps(asked["messages"][:-1])


async def test_a_model_without_eyes_has_the_note_and_is_asked_no_second_time(
    agent: Any, upstream: FakeUpstream
):
    upstream.script = [draws("c1"), failed(400), draws("c2")]
    assert await ask(agent) == "A dot."
    _, refused, again, last = upstream.asked
    assert [len(images(asked)) for asked in (refused, again, last)] == [1, 0, 0]
    assert json.dumps(last).count("[image: /runs/run_") == 2
