"""An agent inside a FastAPI app that you have already: its routes stand under a path of yours.

python examples/fastapi_mount/app.py, then:  agentrun invoke --url http://127.0.0.1:9000/agent/openai/v1 Hello
"""

import os
from collections.abc import Iterator

import uvicorn
from fastapi import FastAPI

from agentrun import AgentRequest, AgentRunServer


def invoke_agent(request: AgentRequest) -> Iterator[str]:
    yield f"You said: {request.text}"


app = FastAPI(title="Shop")


@app.get("/health")
def health() -> dict[str, str]:
    return {"status": "ok"}


@app.get("/orders")
def orders() -> list[str]:
    return ["an order of your own app"]


app.mount("/agent", AgentRunServer(invoke_agent=invoke_agent).as_fastapi_app())

if __name__ == "__main__":
    uvicorn.run(app, port=int(os.environ.get("PORT", "9000")))
