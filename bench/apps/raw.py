"""What ASGI can do at best: prebuilt bytes, no agent, no framework.

Not a correct server: ids are constant, nothing is escaped, nobody notices a client that has gone.
"""

import asyncio
import json
import os

from scripted import parse, uvicorn_options

CHUNK = (
    b'data: {"id":"chatcmpl-0123456789abcdef01234567","object":"chat.completion.chunk","created":1700000000,'
    b'"model":"bench","choices":[{"index":0,"delta":{"content":"tok "},"finish_reason":null}]}\n\n'
)
LAST = (
    b'data: {"id":"chatcmpl-0123456789abcdef01234567","object":"chat.completion.chunk","created":1700000000,'
    b'"model":"bench","choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\ndata: [DONE]\n\n'
)
HELLO = (
    b'{"id":"chatcmpl-0123456789abcdef01234567","object":"chat.completion","created":1700000000,"model":"bench",'
    b'"choices":[{"index":0,"message":{"role":"assistant","content":"hello world"},"finish_reason":"stop"}]}'
)
JSON_START = {
    "type": "http.response.start",
    "status": 200,
    "headers": [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(HELLO))],
}
SSE_START = {
    "type": "http.response.start",
    "status": 200,
    "headers": [(b"content-type", b"text/event-stream")],
}
TOKEN = {"type": "http.response.body", "body": CHUNK, "more_body": True}
END = {"type": "http.response.body", "body": LAST, "more_body": False}
ONE_WRITE = os.environ.get("BENCH_ONE_WRITE")


async def app(scope, receive, send):
    if scope["type"] == "lifespan":
        return await lifespan(receive, send)
    kind, count, pause = parse(json.loads(await read(receive))["messages"][-1]["content"])
    if kind == "hello":
        await send(JSON_START)
        await send({"type": "http.response.body", "body": HELLO})
        return
    await send(SSE_START)
    if ONE_WRITE and not pause:
        await send({"type": "http.response.body", "body": CHUNK * count + LAST})
        return
    for i in range(count):
        if i and pause:
            await asyncio.sleep(pause)
        await send(TOKEN)
    if kind == "hold":
        await asyncio.sleep(3600)
    await send(END)


async def read(receive):
    body, more = b"", True
    while more:
        message = await receive()
        body += message.get("body", b"")
        more = message.get("more_body")
    return body


async def lifespan(receive, send):
    for _ in range(2):
        await send({"type": (await receive())["type"] + ".complete"})


if __name__ == "__main__":
    import uvicorn

    uvicorn.run(app, **uvicorn_options())
