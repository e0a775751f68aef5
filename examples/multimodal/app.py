"""An agent that is given more than text: it says what came with the question.

python examples/multimodal/app.py, then:  agentrun invoke --image photo.png "What is this?"
"""

import base64
from collections.abc import Iterator

from agentrun import AgentRequest, AgentRunServer
from agentrun.messages import Audio, File, Image, Part


def describe(part: Part) -> str | None:
    match part:
        case Image(url) if url.startswith("data:"):
            kind, _, data = url.removeprefix("data:").partition(";base64,")
            return f"an {kind} of {len(base64.b64decode(data))} bytes"
        case Image(url):
            return f"an image at {url}"
        case Audio(data, format):
            return f"{len(base64.b64decode(data))} bytes of {format} audio"
        case File(id, _, name):
            return f"the file {name or id}"
        case _:
            return None


def invoke_agent(request: AgentRequest) -> Iterator[str]:
    content = request.messages[-1].content
    parts = [] if content is None or isinstance(content, str) else content
    things = [thing for thing in map(describe, parts) if thing]
    yield f"You asked {request.text!r} and sent "
    yield ", ".join(things) or "nothing else"
    yield "."


if __name__ == "__main__":
    AgentRunServer(invoke_agent=invoke_agent).start()
