"""The smallest agent: one callback, served."""

from agentrun.server import AgentRequest, AgentRunServer


async def invoke_agent(request: AgentRequest):
    for word in f"You said: {request.text}".split():
        yield word + " "


if __name__ == "__main__":
    AgentRunServer(invoke_agent=invoke_agent).start()
