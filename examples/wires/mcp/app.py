"""MCP: an agent as a tool of another program's model, which sees how it goes and asks its human when needed.

python examples/wires/mcp/app.py, then python examples/wires/mcp/client.py (pip install "mcp>=2"), or

    curl http://127.0.0.1:9000/mcp -H "content-type: application/json" -d '{"jsonrpc": "2.0", "id": 1, "method": "tools/list"}'

A program that starts its MCP servers itself runs: agentrun mcp examples/wires/mcp/app.py
"""

from collections.abc import AsyncIterator

from agentrun import AgentRequest, AgentRunServer


async def invoke_agent(request: AgentRequest) -> AsyncIterator[str]:
    yield f"Looking for {request.text}. "
    if await request.ask("Search the web as well?", schema={"type": "boolean"}):
        yield "Found it on the web."
    else:
        yield "Found nothing."


if __name__ == "__main__":
    AgentRunServer(invoke_agent=invoke_agent, models=["researcher"]).start()
