"""An agent with a sandbox and no framework: the model asks for tools, they run, and what they give goes back to it.

The model is the built-in one, which is no language model but makes real tool calls; put the name of yours there.
"""

import json
import sys
from collections.abc import AsyncIterator
from typing import Any

from agentrun import AgentRequest, AgentRunServer, tool_call, tool_result
from agentrun.errors import SandboxUnavailable
from agentrun.events import Loose
from agentrun.integration.sandboxes import sandbox_tools
from agentrun.models import resolve
from agentrun.sandbox import SyncSandbox
from agentrun.tools import Toolset

model = resolve("builtin")
complete: Any = model.async_client.chat.completions.create


def code_tools() -> Toolset:
    """The tools of a sandbox, or none where code cannot be isolated."""
    try:
        SyncSandbox.create("code").close()
    except SandboxUnavailable as error:
        print(f"This agent runs no code. {error}", file=sys.stderr, flush=True)
        return Toolset("none", [])
    return sandbox_tools("code")


tools = code_tools()


async def invoke_agent(request: AgentRequest) -> AsyncIterator[Loose]:
    messages: list[Any] = request.openai_messages()
    offered: Any = {"tools": [tool.declaration for tool in tools]} if len(tools) else {}
    while True:
        answer = await complete(model=model.id, messages=messages, **offered)
        said = answer.choices[0].message
        yield said.content or ""
        if not said.tool_calls:
            return
        messages.append(said.model_dump(exclude_none=True))
        for call in said.tool_calls:
            name, arguments = call.function.name, call.function.arguments
            for event in tool_call(name, arguments, call_id=call.id):
                yield event
            output = await tools[name].tell(json.loads(arguments))
            for event in tool_result(call.id, output):
                yield event
            messages.append({"role": "tool", "tool_call_id": call.id, "content": output})


if __name__ == "__main__":
    AgentRunServer(invoke_agent=invoke_agent).start()
