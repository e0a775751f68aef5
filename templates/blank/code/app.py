"""An agent: one function. What it yields is streamed to the caller."""

from agentrun.server import AgentRequest, AgentRunServer


async def invoke_agent(request: AgentRequest):
    yield "You said: "
    yield request.text


if __name__ == "__main__":
    AgentRunServer(invoke_agent=invoke_agent).start()
