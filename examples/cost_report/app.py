"""What the answers of an agent cost: each Run keeps it, and report.py adds it up.

python examples/cost_report/app.py, then a few times:  agentrun invoke "What is 6 * 7?"
and:  python examples/cost_report/report.py

Models of the usual providers have their list prices. Here the built-in model, which is free, is given one.
"""

from collections.abc import AsyncIterator
from typing import Any

from agentrun import AgentRequest, AgentRunServer
from agentrun.models import resolve

model = resolve("builtin", price={"input": 0.5, "output": 2})  # US dollars per million tokens


async def invoke_agent(request: AgentRequest) -> AsyncIterator[object]:
    messages: Any = request.openai_messages()
    chunks = await model.async_client.chat.completions.create(model=model.id, messages=messages, stream=True)
    async for chunk in chunks:
        yield chunk


if __name__ == "__main__":
    AgentRunServer(invoke_agent=invoke_agent).start()
