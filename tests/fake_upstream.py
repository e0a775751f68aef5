"""A model provider on a real socket that answers as a test tells it to."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import uvicorn
from patience import PATIENCE_S, until


@dataclass
class Answer:
    """What the next request gets: a status and a body, or a stream of chunks with pauses between them."""

    status: int = 200
    body: Any = None
    deltas: list[dict[str, Any]] = field(default_factory=list)
    finish: str = "stop"
    usage: dict[str, Any] | None = None
    when: Callable[[], bool] = lambda: True  # the head is not sent before
    pause_s: float = 0.0  # between chunks
    breaks_off: bool = False
    headers: dict[str, str] = field(default_factory=dict)


def said(*pieces: str, **more: Any) -> Answer:
    usage = {"prompt_tokens": 7, "completion_tokens": len(pieces), "total_tokens": 7 + len(pieces)}
    return Answer(deltas=[{"content": piece} for piece in pieces], usage=usage, **more)


def failed(status: int, **headers: str) -> Answer:
    return Answer(
        status, {"error": {"message": f"fails with {status}", "type": "server_error"}}, headers=headers
    )


class FakeUpstream:
    """Answers from `script`, then as `of_model` says, then with `then`; keeps what was asked, and counts who is connected."""

    def __init__(self) -> None:
        self.script: list[Answer] = []
        self.of_model: dict[str, Answer] = {}
        self.then = said("hel", "lo")
        self.models = ["served-model"]
        self.asked: list[dict[str, Any]] = []
        self.headers: list[dict[str, str]] = []
        self.open = 0
        self.most_open = 0
        self.cut = threading.Event()
        self._server = uvicorn.Server(
            uvicorn.Config(
                self._app, port=0, log_config=None, access_log=False, lifespan="off", interface="asgi3"
            )
        )
        self._thread = threading.Thread(target=self._server.run, daemon=True)

    def start(self) -> FakeUpstream:
        self._thread.start()
        until(lambda: self._server.started)
        return self

    def stop(self) -> None:
        self._server.should_exit = self._server.force_exit = True
        self._thread.join(PATIENCE_S)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.servers[0].sockets[0].getsockname()[1]}/v1"

    async def _app(self, scope: Any, receive: Any, send: Any) -> None:
        body = b""
        while True:
            message = await receive()
            body += message.get("body", b"")
            if not message.get("more_body"):
                break
        if scope["path"].endswith("/models"):
            listed = {"object": "list", "data": [{"id": name, "object": "model"} for name in self.models]}
            await _whole(send, Answer(body=listed))
            return
        fields = json.loads(body or b"{}")
        self.asked.append(fields)
        self.headers.append({key.decode(): value.decode() for key, value in scope["headers"]})
        usual = self.of_model.get(fields.get("model", ""), self.then)
        answer = self.script.pop(0) if self.script else usual
        self.open += 1
        self.most_open = max(self.most_open, self.open)
        counted = True

        def close() -> None:
            nonlocal counted
            self.open -= counted
            counted = False

        async def send_until_closed(message: Any) -> None:
            if message["type"] == "http.response.body" and not message.get("more_body"):
                close()  # before the client can know that it is over
            await send(message)

        work = asyncio.ensure_future(_give(send_until_closed, fields, answer))
        gone = asyncio.ensure_future(_gone(receive))
        try:
            await asyncio.wait({work, gone}, return_when=asyncio.FIRST_COMPLETED)
            if not work.done():
                self.cut.set()
        finally:
            close()
            for task in (work, gone):
                task.cancel()
            await asyncio.gather(work, gone, return_exceptions=True)


async def _gone(receive: Any) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def _give(send: Any, fields: dict[str, Any], answer: Answer) -> None:
    while not answer.when():  # noqa: ASYNC110 - whatever it waits for
        await asyncio.sleep(0.005)
    if answer.status != 200 or answer.body is not None:
        await _whole(send, answer)
        return
    head = {"id": "chatcmpl-1", "created": 1, "model": fields.get("model")}
    if not fields.get("stream"):
        message: dict[str, Any] = {"role": "assistant", "content": None}
        for delta in answer.deltas:
            for key, value in delta.items():
                message[key] = (message.get(key) or "") + value if isinstance(value, str) else value
        choice = {"index": 0, "message": message, "finish_reason": answer.finish}
        whole = {**head, "object": "chat.completion", "choices": [choice], "usage": answer.usage}
        await _whole(send, Answer(body=whole))
        return
    await send(
        {"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/event-stream")]}
    )
    for delta in [{"role": "assistant", "content": ""}, *answer.deltas]:
        await _frame(send, head, [{"index": 0, "delta": delta, "finish_reason": None}])
        await asyncio.sleep(answer.pause_s)
    if answer.breaks_off:
        raise ConnectionError("the provider breaks off")
    await _frame(send, head, [{"index": 0, "delta": {}, "finish_reason": answer.finish}])
    if answer.usage and (fields.get("stream_options") or {}).get("include_usage"):
        await _frame(send, head, [], answer.usage)
    await send({"type": "http.response.body", "body": b"data: [DONE]\n\n"})


async def _frame(send: Any, head: Any, choices: list[Any], usage: Any = None) -> None:
    chunk = {**head, "object": "chat.completion.chunk", "choices": choices, "usage": usage}
    body = b"data: " + json.dumps(chunk).encode() + b"\n\n"
    await send({"type": "http.response.body", "body": body, "more_body": True})


async def _whole(send: Any, answer: Answer) -> None:
    headers = [(b"content-type", b"application/json")]
    headers += [(key.replace("_", "-").encode(), value.encode()) for key, value in answer.headers.items()]
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    await send({"type": "http.response.body", "body": json.dumps(answer.body).encode()})
