"""Several models behind one name: where the first does not answer, the next one does.

cd examples/model_proxy; python app.py, then:  agentrun invoke "What is 6 * 7?"

agentrun.yaml, beside this file, says what stands behind the name. The server's log tells which model was left out and why.
"""

from collections.abc import AsyncIterator
from typing import Any

from agentrun import AgentRequest, AgentRunServer
from agentrun.models import resolve

model = resolve("safe")


async def invoke_agent(request: AgentRequest) -> AsyncIterator[object]:
    messages: Any = request.openai_messages()
    chunks = await model.async_client.chat.completions.create(model=model.id, messages=messages, stream=True)
    async for chunk in chunks:
        yield chunk


if __name__ == "__main__":
    AgentRunServer(invoke_agent=invoke_agent).start()
