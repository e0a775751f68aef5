"""An AgentScope agent, served as it is."""

from datetime import datetime, timezone

from agentscope.agent import Agent
from agentscope.message import TextBlock
from agentscope.permission import PermissionBehavior, PermissionDecision
from agentscope.tool import FunctionTool, ToolChunk, Toolkit

from agentrun.integration.agentscope import model
from agentrun.server import AgentRunServer


def multiply(a: float, b: float) -> ToolChunk:
    """Multiply two numbers."""
    return ToolChunk(content=[TextBlock(text=str(a * b))])


def current_time() -> ToolChunk:
    """The current date and time in UTC."""
    return ToolChunk(content=[TextBlock(text=datetime.now(timezone.utc).isoformat(timespec="seconds"))])


# With ASK instead, the user is asked before each call.
allowed = PermissionDecision(behavior=PermissionBehavior.ALLOW, message="These change nothing.")
agent = Agent(
    "my-agent",
    "Answer in one sentence. Use the tools for arithmetic and for the time.",
    # A model of agentrun.yaml, or of the provider whose key is set; without either, the built-in one.
    model(),
    Toolkit([FunctionTool(function, permission=allowed) for function in (multiply, current_time)]),
)

if __name__ == "__main__":
    AgentRunServer(invoke_agent=agent).start()
