"""Models that the platform holds, for every agent that is deployed on it; as a user writes and calls them."""

from __future__ import annotations

from pathlib import Path

from fake_upstream import FakeUpstream

from .test_guide import Machine, machine, said  # noqa: F401 - machine is a fixture

APP = """
from agentrun.models import resolve
from agentrun.server import AgentRequest, AgentRunServer


async def invoke_agent(request: AgentRequest):
    model = resolve("company")
    answer = await model.async_client.chat.completions.create(
        model=model.id, messages=[{"role": "user", "content": request.text}]
    )
    yield answer.choices[0].message.content


AgentRunServer(invoke_agent=invoke_agent).start()
"""


def test_an_agent_finds_the_models_of_the_platform_it_runs_on(
    machine: Machine,  # noqa: F811
    upstream: FakeUpstream,
):
    platform = Path.home() / ".agentrun" / "platform"
    platform.mkdir(parents=True, mode=0o700)
    names = f"models:\n  company: {{base_url: {upstream.url}, model: big, api_key: '${{env:COMPANY_KEY}}'}}\n"
    (platform / "agentrun.yaml").write_text(names, "utf-8")
    machine.run("init shop --template blank")
    machine.enter("shop")
    (machine.folder / "code" / "app.py").write_text(APP, "utf-8")
    with (machine.folder / "s.yaml").open("a", encoding="utf-8") as file:
        file.write("        environmentVariables: {COMPANY_KEY: s3cret}\n")
    url = machine.json("deploy")["agent"]["url"]
    assert said(url, "hi") == "hello"
    assert upstream.asked[0]["model"] == "big"
    assert upstream.headers[0]["authorization"] == "Bearer s3cret"
