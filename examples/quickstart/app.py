"""The smallest agent: one callback, served. It streams its answer word by word."""

import asyncio

from agentrun.server import AgentRequest, AgentRunServer


async def invoke_agent(request: AgentRequest):
    answer = f"You asked: {request.text} I am ten lines of Python; put your own agent here."
    for word in answer.split(" "):
        yield word + " "
        await asyncio.sleep(0.05)


if __name__ == "__main__":
    AgentRunServer(invoke_agent=invoke_agent).start()
