"""agentrun-sdk[server], in a venv of its own (`--venv original=PATH`)."""

import scripted
import uvicorn

from agentrun.server import AgentRequest, AgentRunServer

if scripted.SYNC:

    def invoke_agent(request: AgentRequest):
        prompt = request.messages[-1].content
        return scripted.stream_sync(prompt) if request.stream else scripted.answer_sync(prompt)

else:

    async def invoke_agent(request: AgentRequest):
        prompt = request.messages[-1].content
        return scripted.stream(prompt) if request.stream else await scripted.answer(prompt)


if __name__ == "__main__":
    uvicorn.run(AgentRunServer(invoke_agent=invoke_agent).as_fastapi_app(), **scripted.uvicorn_options())
