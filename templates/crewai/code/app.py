"""A crew of one CrewAI agent, served as it is."""

from datetime import datetime, timezone

from crewai import Agent, Crew, Task
from crewai.tools import tool

from agentrun.integration.crewai import model
from agentrun.server import AgentRunServer


@tool("multiply")
def multiply(a: float, b: float) -> float:
    """Multiply two numbers."""
    return a * b


@tool("current_time")
def current_time() -> str:
    """The current date and time in UTC."""
    return datetime.now(timezone.utc).isoformat(timespec="seconds")


helper = Agent(
    role="helper",
    goal="Answer in one sentence. Use the tools for arithmetic and for the time.",
    backstory="You are exact and friendly.",
    # A model of agentrun.yaml, or of the provider whose key is set; without either, the built-in one.
    llm=model(),
    tools=[multiply, current_time],
)
# What the user says takes the place of {question}; {history} would be what was said before.
task = Task(description="{question}", expected_output="An answer in one sentence.", agent=helper)
crew = Crew(agents=[helper], tasks=[task])

if __name__ == "__main__":
    AgentRunServer(invoke_agent=crew).start()
