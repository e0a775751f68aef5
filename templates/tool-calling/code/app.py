"""An agent that uses tools: the model asks for them, the loop below runs them and tells it the results."""

from openai.lib.streaming.chat import ChatCompletionStreamState
from tools import TOOLS, run

from agentrun.events import tool_result
from agentrun.models import resolve
from agentrun.server import AgentRequest, AgentRunServer

MOST_ROUNDS = 8

# A model of agentrun.yaml, or of the provider whose key is set; without either, the built-in one.
model = resolve()


async def invoke_agent(request: AgentRequest):
    messages = request.openai_messages()
    for _ in range(MOST_ROUNDS):
        said = ChatCompletionStreamState()
        chunks = await model.async_client.chat.completions.create(
            model=model.id, messages=messages, tools=TOOLS, stream=True
        )
        async for chunk in chunks:
            said.handle_chunk(chunk)
            yield chunk
        message = said.get_final_completion().choices[0].message
        if not message.tool_calls:
            return
        calls = [call.to_dict() for call in message.tool_calls]
        messages.append({"role": "assistant", "content": message.content, "tool_calls": calls})
        for call in message.tool_calls:
            result = run(call.function.name, call.function.arguments)
            for event in tool_result(call.id, result):
                yield event
            messages.append({"role": "tool", "tool_call_id": call.id, "content": result})
    yield f"I stopped after {MOST_ROUNDS} rounds of tools."


if __name__ == "__main__":
    AgentRunServer(invoke_agent=invoke_agent).start()
