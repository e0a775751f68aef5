"""The tools for agents: by the original's names, in a real browser, also under a real server."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from agentrun.errors import ConfigError
from agentrun.integration.sandboxes import sandbox_tools
from agentrun.sandbox import Template, TemplateType
from agentrun.server import AgentRequest, AgentRunServer
from agentrun.tools import Toolset
from agentrun.tools.calling import called_as

from .conftest import READY, SITE

HOME = "http://127.0.0.1:8000/"
SERVE = "setsid python3 -m http.server 8000 --bind 127.0.0.1 >/dev/null 2>&1 </dev/null & "
OURS = [
    "browser_navigate", "browser_navigate_back", "browser_read", "browser_click", "browser_hover", "browser_type",
    "browser_fill", "browser_press_key", "browser_take_screenshot", "browser_evaluate", "browser_tabs_list",
    "browser_tabs_new", "browser_tabs_select",
]  # fmt: skip
ORIGINAL = {
    "health", "browser_navigate", "goto", "browser_navigate_back", "browser_go_forward", "browser_click", "click",
    "browser_dblclick", "browser_drag", "browser_hover", "browser_type", "browser_fill", "fill", "browser_snapshot",
    "html_content", "browser_take_screenshot", "browser_get_title", "browser_tabs_list", "browser_tabs_new",
    "browser_tabs_select", "browser_evaluate", "evaluate", "browser_wait_for",
}  # fmt: skip

pytestmark = pytest.mark.usefixtures("project")


def made(kind: str = "aio", **options: Any) -> Toolset:
    template = Template.model_validate({"type": kind, "warm": 0})
    return sandbox_tools(template, template_type=template.type, sandbox_idle_timeout_seconds=30, **options)


async def _shop(tools: Toolset) -> None:
    for page in SITE.iterdir():
        await tools["write_file"].call({"path": page.name, "content": page.read_text("utf-8")})
    assert await tools["run_command"].call({"command": SERVE + READY}) == "[no output]"


def test_the_names_are_the_originals():
    code = [tool.name for tool in sandbox_tools("code")]
    assert [tool.name for tool in made("browser")] == OURS
    assert [tool.name for tool in made("aio")] == [*code, *OURS]
    assert {tool.name for tool in made("browser", original_names=True)} == ORIGINAL
    both = [tool.name for tool in made("aio", original_names=True)]
    assert len(both) == len(set(both)) and set(both) > ORIGINAL | {"execute_code"}


def test_there_are_none_for_custom_ones():
    template = Template.model_validate({"type": "custom", "command": "exec sleep 1", "port": 8000})
    with pytest.raises(ConfigError, match="no tools for sandboxes of type CustomImage"):
        sandbox_tools(template, template_type=TemplateType.CUSTOM)


async def test_an_agent_reads_a_page_and_sends_a_form():
    tools = made()
    await _shop(tools)
    assert await tools["browser_navigate"].call({"url": HOME}) == f"Shop at {HOME}"
    read = await tools["browser_read"].call({})
    assert read.startswith(f"Shop at {HOME}\n\nHello") and 'input[name="q"]: text "Search"' in read
    await tools["browser_fill"].call({"selector": "[name=q]", "value": "sho"})
    await tools["browser_type"].call({"selector": "[name=q]", "text": "es", "delay": 1})
    sent = await tools["browser_press_key"].call({"key": "Enter"})
    assert sent.startswith(f"Done at {HOME}done.html?q=shoes&")
    assert await tools["browser_navigate_back"].call({}) == f"Shop at {HOME}"
    clicked = await tools["browser_click"].call({"selector": "text=Two, in a new tab"})
    assert clicked == f"Shop at {HOME}\n[1 new page; browser_tabs_select shows it]"
    assert await tools["browser_tabs_select"].call({"index": 1}) == f"Two at {HOME}two.html"
    assert (await tools["browser_tabs_list"].call({})).splitlines() == [
        f" 0 Shop at {HOME}",
        f"*1 Two at {HOME}two.html",
    ]
    assert await tools["browser_tabs_new"].call({}) == "[no title] at about:blank"
    assert await tools["browser_evaluate"].call({"expression": "(x) => [x, 'é']", "arg": 1}) == '[1,"é"]'
    assert await tools["browser_hover"].call({"selector": "html"}) == "[no title] at about:blank"


async def test_what_goes_wrong_is_told():
    tools = made("browser")
    missing = await tools["browser_click"].tell({"selector": "#no", "timeout": 200})
    assert missing == "Error: The element '#no' cannot be used: there is no such element."
    refused = await tools["browser_navigate"].tell({"url": "https://example.com/"})
    assert refused.startswith("Error: https://example.com/ cannot be opened: net::ERR_")
    assert (await tools["browser_click"].tell({"selector": "a", "button": "fourth"})).startswith(
        "Error: button: "
    )
    thrown = await tools["browser_evaluate"].tell({"expression": "nothing.x"})
    assert thrown == "Error: In the page: ReferenceError: nothing is not defined."


async def test_the_original_tools_work():
    tools = made(original_names=True)
    page = "<title>T</title><b ondblclick='this.textContent=2'>1</b><i>drop</i><input id=i>"
    await tools["write_file"].call({"path": "t.html", "content": page})
    assert await tools["health"].call({}) == "ok"
    assert await tools["goto"].call({"url": "file:///home/user/t.html"}) == "T at file:///home/user/t.html"
    await tools["browser_dblclick"].call({"selector": "b"})
    await tools["browser_drag"].call({"source_selector": "b", "target_selector": "i"})
    await tools["fill"].call({"selector": "#i", "value": "v"})
    await tools["click"].call({"selector": "i"})
    assert await tools["evaluate"].call({"expression": "document.querySelector('b').textContent"}) == '"2"'
    assert await tools["browser_get_title"].call({}) == "T"
    for name in ("browser_snapshot", "html_content"):
        assert (await tools[name].call({})).startswith("T\n<html><head><title>T</title>")
    assert await tools["browser_wait_for"].call({"timeout": 1}) == "T at file:///home/user/t.html"
    await tools["browser_navigate"].call({"url": "about:blank"})
    await tools["browser_navigate_back"].call({})
    assert (await tools["browser_go_forward"].call({})).endswith("about:blank")


async def test_a_screenshot_can_be_seen_by_who_may_see_the_run():
    tools = made("browser")

    async def agent(request: AgentRequest) -> AsyncIterator[str]:
        with called_as("browser_take_screenshot", "c1"):
            yield await tools["browser_take_screenshot"].tell({"type": request.text})

    app = AgentRunServer(invoke_agent=agent).as_fastapi_app()
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://agent", timeout=60) as http,
    ):
        for kind, ending, magic in (("png", "png", b"\x89PNG"), ("jpeg", "jpg", b"\xff\xd8\xff")):
            body = {"messages": [{"role": "user", "content": kind}]}
            answer = await http.post("/openai/v1/chat/completions", json=body)
            text = answer.json()["choices"][0]["message"]["content"]
            assert text == f"[image: /runs/{answer.headers['x-run-id']}/artifacts/image.{ending}]"
            picture = await http.get(text.removeprefix("[image: ").removesuffix("]"))
            assert picture.headers["content-type"] == f"image/{kind}" and picture.content.startswith(magic)
