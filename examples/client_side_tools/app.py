"""An agent that asks the caller to run a tool: one the caller offered in `tools`, such as a file on its disk.

python examples/client_side_tools/app.py, then ask with a tool on offer, and send its result back:

    tools = [{"type": "function", "function": {"name": "read_file", "parameters": {"type": "object"}}}]
    answer = client.chat.completions.create(model="agentrun", messages=messages, tools=tools)
    answer.choices[0].message.tool_calls     # run it, then ask again with a "tool" message
"""

from collections.abc import Iterator

from agentrun import AgentRequest, AgentRunServer, Role, tool_call
from agentrun.events import Loose


def invoke_agent(request: AgentRequest) -> Iterator[Loose]:
    last = request.messages[-1]
    if last.role is Role.TOOL:
        yield f"The file has {len(last.text.splitlines())} lines."
    elif any(tool.name == "read_file" for tool in request.tools):
        yield from tool_call("read_file", {"path": request.text}, call_id="call_1")
    else:
        yield "Offer me a tool named read_file."


if __name__ == "__main__":
    AgentRunServer(invoke_agent=invoke_agent).start()
