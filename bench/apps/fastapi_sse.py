"""What a careful user writes: FastAPI, pydantic models, sse-starlette. BENCH_NATIVE: FastAPI's own SSE instead."""

import os
import time
import uuid
from typing import Literal

import scripted
from fastapi import FastAPI
from pydantic import BaseModel
from sse_starlette import EventSourceResponse

PATH = "/openai/v1/chat/completions"
app = FastAPI()


class Message(BaseModel):
    role: str
    content: str


class Request(BaseModel):
    model: str = "bench"
    messages: list[Message]
    stream: bool = False


class Delta(BaseModel):
    role: str | None = None
    content: str | None = None


class Choice(BaseModel):
    index: int = 0
    delta: Delta
    finish_reason: str | None = None


class Chunk(BaseModel):
    id: str
    object: Literal["chat.completion.chunk"] = "chat.completion.chunk"
    created: int
    model: str
    choices: list[Choice]


class WholeChoice(BaseModel):
    index: int = 0
    message: Message
    finish_reason: str = "stop"


class Completion(BaseModel):
    id: str
    object: Literal["chat.completion"] = "chat.completion"
    created: int
    model: str
    choices: list[WholeChoice]


def new_id():
    return f"chatcmpl-{uuid.uuid4().hex}"


def completion(request, text):
    message = Message(role="assistant", content=text)
    return Completion(
        id=new_id(), created=int(time.time()), model=request.model, choices=[WholeChoice(message=message)]
    )


class Chunks:
    def __init__(self, request):
        self.id, self.created, self.model = new_id(), int(time.time()), request.model

    def make(self, finish_reason=None, **delta):
        choice = Choice(delta=Delta(**delta), finish_reason=finish_reason)
        return Chunk(id=self.id, created=self.created, model=self.model, choices=[choice])


async def chunks(request):
    new = Chunks(request).make
    yield new(role="assistant")
    async for token in scripted.stream(request.messages[-1].content):
        yield new(content=token)
    yield new("stop")


async def events(request):
    async for chunk in chunks(request):
        yield {"data": chunk.model_dump_json(exclude_none=True)}
    yield {"data": "[DONE]"}


def events_sync(request):
    new = Chunks(request).make
    for token in scripted.stream_sync(request.messages[-1].content):
        yield {"data": new(content=token).model_dump_json(exclude_none=True)}
    yield {"data": "[DONE]"}


if scripted.SYNC:

    @app.post(PATH)
    def chat_sync(request: Request):
        if request.stream:
            return EventSourceResponse(events_sync(request))
        return completion(request, scripted.answer_sync(request.messages[-1].content))

else:

    @app.post(PATH)
    async def chat(request: Request):
        if request.stream:
            return EventSourceResponse(events(request))
        return completion(request, await scripted.answer(request.messages[-1].content))


if os.environ.get("BENCH_NATIVE"):
    from fastapi.sse import EventSourceResponse as NativeResponse
    from fastapi.sse import ServerSentEvent

    # it streams where the endpoint is a generator: so a route of its own
    @app.post("/native", response_class=NativeResponse)
    async def native(request: Request):
        async for chunk in chunks(request):
            yield chunk
        yield ServerSentEvent(raw_data="[DONE]")


if __name__ == "__main__":
    import uvicorn

    uvicorn.run(app, **scripted.uvicorn_options())
