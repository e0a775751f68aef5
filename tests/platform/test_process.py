"""The server as a process: signals, sockets, workers, TLS."""

from __future__ import annotations

import json
import os
import signal
import socket
import ssl
import stat
import subprocess
import sys
import time
from contextlib import suppress

import httpx
import pytest
from patience import PATIENCE_S

COUNTING = """
import asyncio
from agentrun.server import AgentRunServer

async def invoke_agent(request):
    try:
        for i in range(int(request.text)):
            yield f"{i} "
            await asyncio.sleep(0.05)
    finally:
        await asyncio.sleep(0.05)
        print("cleaned up")

AgentRunServer(invoke_agent=invoke_agent).start()
"""
SYNC = """
import time
from agentrun.server import AgentRunServer

def invoke_agent(request):
    try:
        while True:
            yield "x"
            time.sleep(0.05)
    finally:
        print("cleaned up")

AgentRunServer(invoke_agent=invoke_agent).start()
"""


def test_sigterm_lets_an_open_stream_finish_and_exits_0(program, stream):
    app = program(COUNTING)
    answer = stream(app.url(), "20")
    lines = answer.iter_lines()
    next(lines)
    app.process.send_signal(signal.SIGTERM)
    app.line_with("Shutting down")
    rest = list(lines)
    assert "19 " in rest[-6]
    assert rest[-2] == "data: [DONE]"
    assert app.end() == 0
    assert "cleaned up" in app.output
    assert "Traceback" not in app.output


@pytest.mark.parametrize("source", [COUNTING, SYNC])
def test_past_the_deadline_a_stream_is_cut_with_an_error_frame_and_finally_blocks_run(
    program, source, stream
):
    app = program(source, AGENTRUN_SHUTDOWN_TIMEOUT_S="0.3")
    answer = stream(app.url(), "100000")
    lines = answer.iter_lines()
    next(lines)
    app.process.send_signal(signal.SIGTERM)
    frames = [line for line in lines if line]
    assert json.loads(frames[-1].removeprefix("data: "))["error"]["code"] == "server_shutdown"
    assert app.end() == 0
    assert "cleaned up" in app.output
    assert "Traceback" not in app.output


def test_while_draining_it_is_not_ready_and_new_connections_are_refused(program, stream):
    app = program(COUNTING)
    url = app.url()
    with httpx.Client() as kept_open:
        assert kept_open.get(f"{url}/readyz").json() == {"status": "ready"}
        answer = stream(url, "60")
        lines = answer.iter_lines()
        next(lines)
        app.process.send_signal(signal.SIGTERM)
        app.line_with("Shutting down")
        with pytest.raises(httpx.ConnectError):
            httpx.get(f"{url}/health")
    assert "data: [DONE]" in list(lines)
    assert app.end() == 0


def test_a_second_signal_ends_it_at_once(program, stream):
    app = program(COUNTING)
    answer = stream(app.url(), "100000")
    next(answer.iter_lines())
    app.process.send_signal(signal.SIGTERM)
    app.line_with("Shutting down")
    app.process.send_signal(signal.SIGTERM)
    assert app.end() == 128 + signal.SIGTERM


def test_ctrl_c_ends_it_without_a_traceback(program):
    app = program(COUNTING)
    app.url()
    app.process.send_signal(signal.SIGINT)
    assert app.end() == 0
    assert "Traceback" not in app.output


def test_a_unix_socket_is_only_for_its_user_and_is_removed_at_the_end(program, tmp_path):
    app = program(COUNTING, AGENTRUN_UDS="agent.sock")
    assert app.url() == "unix:agent.sock"
    path = tmp_path / "agent.sock"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    with httpx.Client(transport=httpx.HTTPTransport(uds=str(path))) as client:
        assert client.get("http://agent/health").json() == {"status": "ok"}
    app.process.send_signal(signal.SIGTERM)
    assert app.end() == 0
    assert not path.exists()


def test_a_unix_socket_that_a_crash_left_is_taken_over_and_a_live_one_is_not(program, tmp_path):
    first = program(COUNTING, AGENTRUN_UDS="agent.sock")
    first.url()
    second = program(COUNTING, AGENTRUN_UDS="agent.sock")
    assert second.end() == 2
    assert "Cannot listen on unix:agent.sock" in second.output
    first.process.kill()
    first.end()
    third = program(COUNTING, AGENTRUN_UDS="agent.sock")
    third.url()


def test_an_inherited_socket_is_served(program, tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        (tmp_path / "app.py").write_text(COUNTING, encoding="utf-8")
        process = subprocess.Popen(
            [sys.executable, "app.py"],
            cwd=tmp_path,
            env={**os.environ, "AGENTRUN_FD": str(listener.fileno())},
            pass_fds=(listener.fileno(),),
            stderr=subprocess.DEVNULL,
        )
        try:
            port = listener.getsockname()[1]
            assert httpx.get(f"http://127.0.0.1:{port}/health", timeout=PATIENCE_S).status_code == 200
        finally:
            process.terminate()
            assert process.wait(PATIENCE_S) == 0


def test_a_taken_port_is_one_line_and_exit_2(program):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        app = program(COUNTING, AGENTRUN_PORT=str(taken.getsockname()[1]))
        assert app.end() == 2
    assert "Cannot listen on http://127.0.0.1:" in app.output
    assert "Traceback" not in app.output


def test_a_public_address_needs_a_key_or_a_word(program):
    refused = program(COUNTING, AGENTRUN_HOST="0.0.0.0")
    assert refused.end() == 2
    assert "AGENTRUN_API_KEYS" in refused.output
    assert "AGENTRUN_ALLOW_ANONYMOUS" in refused.output
    for allowed in ({"AGENTRUN_API_KEYS": "k1"}, {"AGENTRUN_ALLOW_ANONYMOUS": "true"}):
        app = program(COUNTING, AGENTRUN_HOST="0.0.0.0", **allowed)
        assert httpx.get(app.url().replace("0.0.0.0", "127.0.0.1") + "/health").status_code == 200


def test_a_platform_sets_the_port(program):
    with socket.socket() as place:  # bound, so that nobody else is given the port, and not listening
        place.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        place.bind(("127.0.0.1", 0))
        port = place.getsockname()[1]
        app = program(COUNTING, AGENTRUN_PORT="", PORT=str(port))
        assert app.url() == f"http://127.0.0.1:{port}"


def test_tls(program, tmp_path):
    subprocess.run(
        "openssl req -x509 -newkey rsa:2048 -nodes -days 1 -keyout key.pem -out cert.pem "
        "-subj /CN=localhost -addext subjectAltName=DNS:localhost".split(),
        cwd=tmp_path,
        check=True,
        capture_output=True,
    )
    app = program(COUNTING, AGENTRUN_SSL_CERTFILE="cert.pem", AGENTRUN_SSL_KEYFILE="key.pem")
    url = app.url()
    assert url.startswith("https://")
    trust = ssl.create_default_context(cafile=str(tmp_path / "cert.pem"))
    answer = httpx.get(url.replace("127.0.0.1", "localhost") + "/health", verify=trust)
    assert answer.json() == {"status": "ok"}


def test_workers_share_the_port_and_a_dead_one_is_replaced(program):
    source = COUNTING.replace("yield f", "import os; yield f'pid={os.getpid()} '; yield f")
    app = program(source, AGENTRUN_WORKERS="2")
    url = app.url()
    for _ in range(2):
        app.line_with("Application startup complete")

    def ask() -> int:
        body = {"messages": [{"role": "user", "content": "1"}]}
        answer = httpx.post(f"{url}/v1/chat/completions", json=body, timeout=PATIENCE_S)
        return int(answer.json()["choices"][0]["message"]["content"].split()[0].removeprefix("pid="))

    victim = ask()
    assert victim != app.process.pid
    os.kill(victim, signal.SIGKILL)
    app.line_with("starting another")
    app.line_with("Application startup complete")
    assert ask() != victim
    app.process.send_signal(signal.SIGTERM)
    assert app.end() == 0


def test_a_signal_while_a_dead_worker_is_replaced_ends_its_replacement_too(program):
    dies_once = """
import os, sys
if os.environ.get("AGENTRUN_IS_WORKER"):
    for name in ("first", "second"):
        try:
            os.close(os.open(name, os.O_CREAT | os.O_EXCL))
        except FileExistsError:
            continue
        sys.exit(1)
"""
    app = program(dies_once + COUNTING, AGENTRUN_WORKERS="2")
    app.line_with("starting another")
    app.process.send_signal(signal.SIGTERM)
    assert app.end() == 0


def test_workers_end_with_the_process_that_started_them(program):
    app = program(COUNTING, AGENTRUN_WORKERS="2")
    url = app.url()
    for _ in range(2):
        app.line_with("Application startup complete")
    app.process.kill()
    deadline = time.monotonic() + PATIENCE_S
    with pytest.raises(httpx.ConnectError):
        while time.monotonic() < deadline:
            with suppress(httpx.RemoteProtocolError, httpx.ReadError):  # of one that is just ending
                httpx.get(f"{url}/health")


def test_start_takes_what_is_of_the_process_and_nothing_else(program):
    late = program(COUNTING.replace(".start()", ".start(max_runs=3)"))
    assert late.end() == 1
    assert "AgentRunServer(invoke_agent=..., max_runs=...)" in late.output
    app = program(COUNTING.replace(".start()", ".start(host='127.0.0.1', port=0, log_level='info')"))
    assert httpx.get(app.url() + "/health").status_code == 200
