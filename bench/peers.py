"""The servers that are measured side by side."""

from __future__ import annotations

import json
from typing import Literal, NamedTuple

PATH = "/openai/v1/chat/completions"


class Peer(NamedTuple):
    """An app under apps/, what its environment says, and what it is asked with."""

    title: str
    app: str
    env: dict[str, str] = {}
    kind: Literal["limit", "agent", "variant", "bare"] = "agent"
    stream_path: str = PATH
    headers: str = "Accept: */*\r\n"
    own_venv: bool = False  # its packages do not go together with ours


_AGENTRUN = {"AGENTRUN_HOST": "127.0.0.1", "LOG_LEVEL": "info"}
PEERS = {
    "raw": Peer("raw ASGI", "raw.py", kind="limit"),
    "fastapi": Peer("FastAPI + sse-starlette", "fastapi_sse.py"),
    "agentrun": Peer("AgentRun", "agentrun_server.py", _AGENTRUN),
    # AgentRun with one thing more, or less
    "agentrun-quiet": Peer(
        "without its log line for each run",
        "agentrun_server.py",
        {**_AGENTRUN, "LOG_LEVEL": "warning"},
        kind="variant",
    ),
    "agentrun-resumable": Peer(
        "with an id on each event, so that a stream can be resumed",
        "agentrun_server.py",
        _AGENTRUN,
        kind="variant",
        headers="Accept: text/event-stream\r\n",
    ),
    "agentrun-middleware": Peer(
        "with a middleware of the user's (CORS)",
        "agentrun_server.py",
        {**_AGENTRUN, "AGENTRUN_CORS_ORIGINS": "https://example.com"},
        kind="variant",
    ),
    # asked for with --peers
    "raw-one-write": Peer("raw ASGI, a burst in one write", "raw.py", {"BENCH_ONE_WRITE": "1"}, kind="limit"),
    "raw-h11": Peer(
        "raw ASGI, asyncio and h11", "raw.py", {"BENCH_LOOP": "asyncio", "BENCH_HTTP": "h11"}, "limit"
    ),
    "fastapi-native": Peer(
        "FastAPI's own SSE", "fastapi_sse.py", {"BENCH_NATIVE": "1"}, stream_path="/native"
    ),
    "original": Peer("the original SDK", "original_sdk.py", own_venv=True),
    # only its start is measured
    "fastapi-bare": Peer("bare FastAPI", "fastapi_bare.py", kind="bare"),
}
USUAL = ("raw", "fastapi", "agentrun", "agentrun-quiet", "agentrun-resumable", "agentrun-middleware")


def request(peer: Peer, prompt: str, *, stream: bool) -> bytes:
    """An OpenAI request as it goes over the socket."""
    messages = [{"role": "user", "content": prompt}]
    body = json.dumps({"model": "bench", "stream": stream, "messages": messages}).encode()
    head = (
        f"POST {peer.stream_path if stream else PATH} HTTP/1.1\r\nHost: 127.0.0.1\r\n{peer.headers}"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body
