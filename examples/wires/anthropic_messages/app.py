"""An agent that thinks and uses a tool of its own, for clients of Anthropic's Messages.

python examples/wires/anthropic_messages/app.py, then:  python examples/wires/anthropic_messages/client.py

curl http://127.0.0.1:9000/anthropic/v1/messages -H "content-type: application/json" \\
  -d '{"model": "agentrun", "max_tokens": 100, "messages": [{"role": "user", "content": "21"}]}'
"""

from collections.abc import Iterator

from agentrun import AgentRequest, AgentRunServer, reasoning
from agentrun.events import Loose, tool_call, tool_result


def invoke_agent(request: AgentRequest) -> Iterator[Loose]:
    number = int(request.text)
    yield reasoning(f"{number} has to be doubled.")
    yield from tool_call("double", {"number": number}, call_id="call_1")
    yield from tool_result("call_1", str(2 * number))
    yield f"It is {2 * number}."


if __name__ == "__main__":
    AgentRunServer(invoke_agent=invoke_agent).start()
