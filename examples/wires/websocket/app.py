"""WebSocket: one connection for a whole conversation.

python examples/wires/websocket/app.py, then python examples/wires/websocket/client.py, or

    curl -N http://127.0.0.1:9000/ws -H "connection: upgrade" -H "upgrade: websocket" -H "sec-websocket-version: 13" \\
      -H "sec-websocket-key: AAAAAAAAAAAAAAAAAAAAAA==" --max-time 1
"""

from collections.abc import AsyncIterator

from agentrun import AgentRequest, AgentRunServer


async def invoke_agent(request: AgentRequest) -> AsyncIterator[str]:
    said = [message.text for message in request.messages if message.role == "user"]
    yield f"That is number {len(said)}: "
    yield said[-1]


if __name__ == "__main__":
    AgentRunServer(invoke_agent=invoke_agent).start()
