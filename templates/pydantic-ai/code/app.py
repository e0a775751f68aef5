"""A Pydantic AI agent, served as it is."""

from datetime import datetime, timezone

from pydantic_ai import Agent

from agentrun.integration.pydantic_ai import model
from agentrun.server import AgentRunServer

agent = Agent(
    # A model of agentrun.yaml, or of the provider whose key is set; without either, the built-in one.
    model(),
    instructions="Answer in one sentence. Use the tools for arithmetic and for the time.",
)


@agent.tool_plain
def multiply(a: float, b: float) -> float:
    """Multiply two numbers."""
    return a * b


@agent.tool_plain
def current_time() -> str:
    """The current date and time in UTC."""
    return datetime.now(timezone.utc).isoformat(timespec="seconds")


if __name__ == "__main__":
    AgentRunServer(invoke_agent=agent).start()
