"""A LangChain agent, served as it is."""

from datetime import datetime, timezone

from langchain.agents import create_agent
from langchain.tools import tool

from agentrun.integration.langchain import model
from agentrun.server import AgentRunServer


@tool
def multiply(a: float, b: float) -> float:
    """Multiply two numbers."""
    return a * b


@tool
def current_time() -> str:
    """The current date and time in UTC."""
    return datetime.now(timezone.utc).isoformat(timespec="seconds")


# A model of agentrun.yaml, or of the provider whose key is set; without either, the built-in one.
agent = create_agent(
    model(),
    tools=[multiply, current_time],
    system_prompt="Answer in one sentence. Use the tools for arithmetic and for the time.",
)

if __name__ == "__main__":
    AgentRunServer(invoke_agent=agent).start()
