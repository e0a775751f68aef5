"""The app of the original's guide, with its names and its .env: it starts and answers the guide's questions."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from agentrun.errors import SandboxUnavailable
from agentrun.sandbox import SyncSandbox

# The guide leaves invoke_agent to the reader: here it is in the way that LangChain's users write it.
APP = """
from langchain.agents import create_agent

from agentrun.integration.langchain import model, sandbox_toolset
from agentrun.sandbox import TemplateType
from agentrun.server import AgentRequest, AgentRunServer
from agentrun.utils.log import logger

MODEL_NAME = "my-model"
SANDBOX_NAME = "my-sandbox"

if MODEL_NAME.startswith("<"):
    raise ValueError("MODEL_NAME is still the placeholder")

code_interpreter_tools = []
if SANDBOX_NAME and not SANDBOX_NAME.startswith("<"):
    code_interpreter_tools = sandbox_toolset(
        template_name=SANDBOX_NAME,
        template_type=TemplateType.CODE_INTERPRETER,
        sandbox_idle_timeout_seconds=300,
    )
else:
    logger.warning("SANDBOX_NAME is not set: no tools of a sandbox")

agent = create_agent(model(MODEL_NAME), tools=code_interpreter_tools)


def invoke_agent(request: AgentRequest):
    given = {"messages": [{"role": m.role, "content": m.content} for m in request.messages]}
    for chunk, _ in agent.stream(given, stream_mode="messages"):
        yield chunk


AgentRunServer(invoke_agent=invoke_agent).start()
"""
ENV = """
AGENTRUN_ACCESS_KEY_ID=your-access-key-id
AGENTRUN_ACCESS_KEY_SECRET=your-access-key-secret
AGENTRUN_ACCOUNT_ID=your-account-id
AGENTRUN_REGION=cn-hangzhou
"""
ASKED = {
    "通过代码查询现在是几点?": r"\d{4}-\d\d-\d\d \d\d:\d\d",
    "帮我计算斐波那契数列的第20项": r"\b6765\b",
    "生成一个包含10个随机数的列表并计算平均值": r"\[0\.\d+(, \d\.\d+){9}\]\s+0\.\d+",
}


@pytest.fixture
def sandbox() -> None:
    try:
        SyncSandbox.create(warm=0).close()
    except SandboxUnavailable as error:
        pytest.skip(str(error))


@pytest.mark.usefixtures("sandbox")
def test_the_guides_app_answers_the_guides_questions_with_code(
    serve_program: Callable[..., str], ask: Callable[..., Any], tmp_path: Path
):
    code = tmp_path / "code"
    code.mkdir()
    (code / "app.py").write_text(APP, "utf-8")
    (code / ".env").write_text(ENV, "utf-8")
    url = serve_program(code / "app.py", HOME=str(tmp_path))
    for question, answer in ASKED.items():
        said = ask(url, question)
        assert [call["name"] for call in said["tool_calls"]] == ["run_code"]
        assert re.search(answer, said["text"]), said["text"]
