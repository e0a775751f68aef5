"""AgentRun as its users start it: everything on, PORT and LOG_LEVEL from the environment."""

import scripted

from agentrun.server import AgentRequest, AgentRunServer

if scripted.SYNC:

    def invoke_agent(request: AgentRequest):
        return scripted.stream_sync(request.text)

else:

    async def invoke_agent(request: AgentRequest):
        return scripted.stream(request.text)


if __name__ == "__main__":
    AgentRunServer(invoke_agent=invoke_agent).start()
