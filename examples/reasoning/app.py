"""An agent that shows how it thinks, apart from what it answers.

python examples/reasoning/app.py, then:  agentrun invoke "Is 91 prime?"

OpenAI clients find it in `reasoning_content`; AGENTRUN_REASONING_FIELD chooses another place.
"""

import re
from collections.abc import Iterator

from agentrun import AgentRequest, AgentRunServer, reasoning
from agentrun.events import Loose


def invoke_agent(request: AgentRequest) -> Iterator[Loose]:
    found = re.search(r"\d+", request.text)
    if found is None:
        yield "Ask me whether a number is prime."
        return
    number = int(found[0])
    for divisor in range(2, int(number**0.5) + 1):
        yield reasoning(f"{number} / {divisor} leaves {number % divisor}. ")
        if number % divisor == 0:
            yield f"{number} is not prime: {divisor} × {number // divisor}."
            return
    yield f"{number} is prime." if number > 1 else f"{number} is not prime."


if __name__ == "__main__":
    AgentRunServer(invoke_agent=invoke_agent).start()
