"""An agent of Google's Agent Development Kit, served as it is."""

from datetime import datetime, timezone

from google.adk.agents import LlmAgent

from agentrun.integration.google_adk import model
from agentrun.server import AgentRunServer


def multiply(a: float, b: float) -> float:
    """Multiply two numbers."""
    return a * b


def current_time() -> str:
    """The current date and time in UTC."""
    return datetime.now(timezone.utc).isoformat(timespec="seconds")


agent = LlmAgent(
    name="my_agent",
    instruction="Answer in one sentence. Use the tools for arithmetic and for the time.",
    # A model of agentrun.yaml, or of the provider whose key is set; without either, the built-in one.
    model=model(),
    tools=[multiply, current_time],
)

if __name__ == "__main__":
    AgentRunServer(invoke_agent=agent).start()
