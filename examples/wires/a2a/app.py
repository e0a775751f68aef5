"""A2A: an agent that other agents ask, and that asks back what it was not told.

python examples/wires/a2a/app.py, then python examples/wires/a2a/client.py (pip install a2a-sdk), or

    curl http://127.0.0.1:9000/.well-known/agent-card.json
    curl http://127.0.0.1:9000/a2a/message:send -H "content-type: application/json" \\
      -d '{"message": {"messageId": "m1", "role": "ROLE_USER", "parts": [{"text": "book a table"}]}}'
"""

from collections.abc import AsyncIterator

from agentrun import AgentRequest, AgentRunServer


async def invoke_agent(request: AgentRequest) -> AsyncIterator[str]:
    people = await request.ask("For how many people?", schema={"type": "integer", "minimum": 1})
    yield f"A table for {people} is booked."


if __name__ == "__main__":
    AgentRunServer(invoke_agent=invoke_agent, models=["restaurant"]).start()
