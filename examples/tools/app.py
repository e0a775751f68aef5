"""An agent that runs a tool itself: the caller sees the call and its result, and has nothing to do.

python examples/tools/app.py, then:  agentrun invoke "What time is it?"

On the OpenAI wire these go beside the choices, never into `tool_calls`: a client would try to run them.
"""

from collections.abc import Iterator
from datetime import datetime, timezone

from agentrun import AgentRequest, AgentRunServer, tool_call, tool_result
from agentrun.events import Loose


def current_time() -> str:
    return datetime.now(timezone.utc).strftime("%H:%M UTC")


def invoke_agent(request: AgentRequest) -> Iterator[Loose]:
    yield from tool_call("current_time", {}, call_id="call_1")
    now = current_time()
    yield from tool_result("call_1", now)
    yield f"It is {now}."


if __name__ == "__main__":
    AgentRunServer(invoke_agent=invoke_agent).start()
