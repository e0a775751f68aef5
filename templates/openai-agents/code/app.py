"""An agent of the OpenAI Agents SDK, served as it is."""

from datetime import datetime, timezone

from agents import Agent, function_tool

from agentrun.integration.openai_agents import model
from agentrun.server import AgentRunServer


@function_tool
def multiply(a: float, b: float) -> float:
    """Multiply two numbers."""
    return a * b


@function_tool
def current_time() -> str:
    """The current date and time in UTC."""
    return datetime.now(timezone.utc).isoformat(timespec="seconds")


agent = Agent(
    name="my-agent",
    instructions="Answer in one sentence. Use the tools for arithmetic and for the time.",
    # A model of agentrun.yaml, or of the provider whose key is set; without either, the built-in one.
    model=model(),
    tools=[multiply, current_time],
)

if __name__ == "__main__":
    AgentRunServer(invoke_agent=agent).start()
