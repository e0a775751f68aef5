"""An agent that remembers, for clients of OpenAI's Responses.

python examples/wires/openai_responses/app.py, then:  python examples/wires/openai_responses/client.py

curl http://127.0.0.1:9000/v1/responses -H "content-type: application/json" -d '{"input": "My name is Ada."}'
"""

import re
from collections.abc import Iterator

from agentrun import AgentRequest, AgentRunServer


def invoke_agent(request: AgentRequest) -> Iterator[str]:
    said = " ".join(message.text for message in request.messages if message.role == "user")
    name = re.search(r"[Mm]y name is (\w+)", said)
    yield f"You are {name[1]}." if name else "I do not know your name yet."


if __name__ == "__main__":
    AgentRunServer(invoke_agent=invoke_agent).start()
