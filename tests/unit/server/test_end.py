"""The end of a server: whoever was let in is answered, whoever comes after meets a closed door."""

from __future__ import annotations

import signal
import socket
import threading
from collections.abc import Iterator

import pytest
import uvicorn
from patience import PATIENCE_S, until

from agentrun.server import AgentRunServer, http_protocol, process


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[uvicorn.Server]:
    monkeypatch.setattr(process, "_calm_the_garbage_collector", lambda: None)  # of this process
    monkeypatch.setattr(http_protocol, "_TO_BEGIN_S", PATIENCE_S)
    ours = AgentRunServer(invoke_agent=lambda request: "hello")
    options = uvicorn.Config(ours.as_fastapi_app(), port=0, http=http_protocol.StrictHttp, log_config=None)
    one = process._Server(options, ours.runs, ours.settings, "here")
    thread = threading.Thread(target=one.run)
    thread.start()
    until(lambda: one.started)
    yield one
    one.should_exit = True
    thread.join(PATIENCE_S)


def test_who_was_let_in_before_the_end_is_answered(server: uvicorn.Server):
    address = server.servers[0].sockets[0].getsockname()
    with socket.create_connection(address, PATIENCE_S) as client:
        until(lambda: bool(server.server_state.connections))
        server.handle_exit(signal.SIGTERM, None)
        until(lambda: not listens(address))
        body = b'{"messages":[{"role":"user","content":"hi"}]}'
        head = b"POST /openai/v1/chat/completions HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
        client.sendall(head + b"Content-Length: %d\r\n\r\n" % len(body) + body)
        answer = b"".join(iter(lambda: client.recv(65536), b""))
    assert answer.startswith(b"HTTP/1.1 200 ") and b'"content":"hello"' in answer


def listens(address: tuple[str, int]) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(address) == 0
