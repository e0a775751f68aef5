"""`agentrun dev`: a save is served, nobody is refused, nothing is left behind."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
from openai import AuthenticationError, OpenAI
from patience import until

from .conftest import AGENTRUN, PATIENCE_S, Dev, clean_environment

APP = """
from agentrun.server import AgentRunServer

def agent(request):
    return "{answer}"

AgentRunServer(invoke_agent=agent).start()
"""
StartDev = Callable[..., Dev]


@pytest.fixture
def project(tmp_path: Path) -> Path:
    folder = tmp_path / "project"
    (folder / "code").mkdir(parents=True)
    _save(folder, APP.format(answer="one"))
    return folder


def _save(folder: Path, text: str, name: str = "app.py") -> None:
    """As editors do it: whole, by renaming."""
    fresh = folder / "code" / f"{name}~"
    fresh.write_text(text, encoding="utf-8")
    fresh.rename(folder / "code" / name)


def _ask(url: str) -> str:
    with OpenAI(base_url=f"{url}/openai/v1", api_key="x") as client:
        answer = client.chat.completions.create(model="m", messages=[{"role": "user", "content": "hi"}])
    return answer.choices[0].message.content or ""


def test_a_save_is_served(dev: StartDev, project: Path):
    running = dev(project)
    url = running.until("ready")["url"]
    assert _ask(url) == "one"
    for number in range(3):
        running.until("warm")
        _save(project, APP.format(answer=number))
        assert running.until("changed")["files"] == ["app.py"]
        running.until("ready")
        assert _ask(url) == str(number)


def test_nobody_is_refused_while_it_restarts(dev: StartDev, project: Path):
    running = dev(project)
    url = running.until("ready")["url"]
    done = threading.Event()
    statuses: list[int] = []

    def ask_on() -> None:
        body = {"messages": [{"role": "user", "content": "hi"}]}
        while not done.is_set():
            answer = httpx.post(f"{url}/openai/v1/chat/completions", json=body, timeout=PATIENCE_S)
            statuses.append(answer.status_code)

    with ThreadPoolExecutor() as callers:
        asking = [callers.submit(ask_on) for _ in range(2)]
        try:
            for number in range(3):
                running.until("warm")
                _save(project, APP.format(answer=number))
                running.until("ready")
        finally:
            done.set()
        for caller in asking:
            caller.result(PATIENCE_S)
    assert set(statuses) == {200}


def test_a_syntax_error_is_shown_and_callers_wait_until_it_is_mended(dev: StartDev, project: Path):
    running = dev(project)
    url = running.until("ready")["url"]
    _save(project, "def agent(:\n")
    assert running.until("ended")["exit_code"] == 1
    shown = running.log.read_text("utf-8")
    assert 'File "app.py", line 1' in shown and "SyntaxError" in shown
    assert "warm.py" not in shown
    waiting: list[str] = []
    caller = threading.Thread(target=lambda: waiting.append(_ask(url)))
    caller.start()
    _save(project, APP.format(answer="mended"))
    caller.join(PATIENCE_S)
    assert waiting == ["mended"]


def test_a_failing_app_ends_with_the_traceback_of_its_own_code(dev: StartDev, project: Path):
    _save(project, "def load():\n    raise RuntimeError('no such thing')\n\nload()\n")
    running = dev(project)
    assert running.until("ended")["exit_code"] == 1
    shown = running.log.read_text("utf-8")
    assert 'File "app.py", line 4, in <module>' in shown and "RuntimeError: no such thing" in shown
    assert "warm.py" not in shown


def test_other_modules_and_the_environment_file_are_watched_too(dev: StartDev, project: Path):
    _save(project, "WORD = 'first'\n", "words.py")
    app = APP.replace('return "{answer}"', "from words import WORD; return f'{WORD} {request.model}'")
    _save(project, app)
    running = dev(project)
    url = running.until("ready")["url"]
    assert _ask(url) == "first m"
    _save(project, "WORD = 'second'\n", "words.py")
    running.until("ready")
    assert _ask(url) == "second m"
    _save(project, "AGENTRUN_API_KEYS=k\n", ".env")
    running.until("ready")
    with pytest.raises(AuthenticationError):
        _ask(url)


def test_an_open_stream_does_not_hold_up_a_save(dev: StartDev, project: Path):
    endless = APP.replace("def agent", "import asyncio\nasync def agent").replace(
        'return "{answer}"', 'yield "started"\n    await asyncio.sleep(600)'
    )
    _save(project, endless)
    running = dev(project)
    url = running.until("ready")["url"]
    body: dict[str, Any] = {"messages": [{"role": "user", "content": "hi"}], "stream": True}
    with httpx.stream("POST", f"{url}/openai/v1/chat/completions", json=body, timeout=PATIENCE_S) as stream:
        lines = stream.iter_lines()
        assert any("started" in line for line in lines)
        _save(project, APP.format(answer="new"))
        running.until("ready")
        assert _ask(url) == "new"
        assert any('"error"' in line for line in lines), "the cut stream says so"


@pytest.mark.parametrize("sign", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGKILL])
def test_it_leaves_no_process_and_no_open_port_behind(dev: StartDev, project: Path, sign: int):
    running = dev(project)
    ready = running.until("ready")
    running.until("warm")
    exit_code = running.end(sign)
    assert exit_code == (0 if sign == signal.SIGINT else -sign if sign == signal.SIGKILL else 128 + sign)
    address = (urlsplit(ready["url"]).hostname, urlsplit(ready["url"]).port)
    until(lambda: not _listens(address))  # a process that is nobody's child has no end to wait for


def _listens(address: Any) -> bool:
    try:
        with socket.create_connection(address, timeout=1):
            return True
    except OSError:
        return False


def test_without_reload_it_ends_as_the_app_ends(dev: StartDev, project: Path):
    _save(project, "raise SystemExit(7)\n")
    assert dev(project, "--no-reload").process.wait(PATIENCE_S) == 7


def test_a_person_is_told_the_url_and_a_curl_line_that_works(project: Path):
    command = [AGENTRUN, "dev", "--port", "0"]
    with subprocess.Popen(
        command,
        cwd=project,
        env=clean_environment(),
        stdin=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        encoding="utf-8",
    ) as process:
        assert process.stderr is not None
        try:
            curl = next(line.strip() for line in process.stderr if line.strip().startswith("curl -N"))
            said = subprocess.run(
                ["bash", "-c", f"{curl} -s"], capture_output=True, timeout=PATIENCE_S, check=True
            )
            assert b'"content":"one"' in said.stdout and said.stdout.endswith(b"data: [DONE]\n\n")
        finally:
            process.terminate()


@pytest.mark.parametrize(
    ("arguments", "hint"),
    [
        (["dev"], "agentrun init"),
        (["dev", "nowhere"], "Name a Python file"),
        (["dev", "app.py", "--host", "0.0.0.0"], "AGENTRUN_API_KEYS"),
    ],
)
def test_what_cannot_be_served_is_said_in_one_line(tmp_path: Path, arguments: list[str], hint: str):
    if "app.py" in arguments:
        (tmp_path / "app.py").write_text("")
    done = subprocess.run(
        [AGENTRUN, *arguments], cwd=tmp_path, env=clean_environment(), capture_output=True, encoding="utf-8"
    )
    assert done.returncode == 2
    assert hint in done.stderr and done.stderr.count("\n") == 1


def test_a_taken_port_is_said_in_one_line(project: Path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        command = [AGENTRUN, "dev", "--port", port]
        done = subprocess.run(
            command, cwd=project, env=clean_environment(), capture_output=True, encoding="utf-8"
        )
    assert done.returncode == 2
    assert f"127.0.0.1:{port}" in done.stderr and "--port 0" in done.stderr
    assert done.stderr.count("\n") == 1


def test_the_environment_of_the_app_is_that_of_the_shell(dev: StartDev, project: Path):
    _save(
        project,
        "import os, sys\nassert os.environ['HOME'] and sys.argv == ['app.py'] and __name__ == '__main__'\nsys.exit(3)\n",
    )
    assert dev(project).until("ended")["exit_code"] == 3
    assert os.environ.get("AGENTRUN_FD") is None
