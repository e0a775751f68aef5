"""A real daemon in a process of its own, which tests may kill and start again."""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx
from patience import PATIENCE_S

from agentrun.client import Access, Client
from agentrun.platform.builds import pack
from agentrun.platform.home import Home, home
from agentrun.resources import Definition, Deployed, Deployment, Scale

# the container contract is all that a program has to know: PORT, and HTTP on it
APP = """
import os, time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        if self.path == "/slow":
            for number in range(20):
                self.wfile.write(f"{number} ".encode())
                time.sleep(0.1)
        else:
            self.wfile.write(f"{WORD} {os.getpid()}".encode())

ThreadingHTTPServer.request_queue_size = 256
ThreadingHTTPServer(("127.0.0.1", int(os.environ["PORT"])), Handler).serve_forever()
"""


class Daemon:
    """`url` is the gateway's; `client` is good for as long as the daemon lives."""

    def __init__(self, folder: Path, **environment: str) -> None:
        self.where: Home = home(folder)
        self._environment = {**os.environ, "AGENTRUN_GATEWAY": "127.0.0.1:0", **environment}
        self.start()

    def start(self) -> None:
        reading, writing = os.pipe()
        self.where.folder.mkdir(parents=True, exist_ok=True)
        command = [sys.executable, "-m", "agentrun.platform.daemon", str(self.where.folder), str(writing)]
        subprocess.run(command, env=self._environment, pass_fds=[writing], check=True, timeout=PATIENCE_S)
        os.close(writing)
        with os.fdopen(reading, "rb") as pipe:
            said: dict[str, Any] = json.loads(pipe.readline())
        assert "url" in said, said
        self.url: str = said["url"]
        self.client = Client(Access(socket=self.where.socket, key=self.where.key))
        self.pid = self.client.status().pid

    def kill(self) -> None:
        """As a power cut does: at once, with no time to tidy up."""
        pidfd = os.pidfd_open(self.pid)
        signal.pidfd_send_signal(pidfd, signal.SIGKILL)
        select.select([pidfd], [], [], PATIENCE_S)
        os.close(pidfd)
        self.client.close()

    def close(self) -> None:
        try:
            self.client.stop(instances=True)
        finally:
            self.client.close()

    def deploy(self, folder: Path, word: str, *, concurrency: int = 10) -> Deployed:
        """An agent that says this word and its process id."""
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "app.py").write_text(APP.replace("WORD", repr(word)), encoding="utf-8")
        package = pack(folder)
        self.client.put_package(package.digest, package.encode())
        definition = Definition(
            command=("python3", "app.py"),
            package=package.digest,
            language="python3.11",
            scale=Scale(max=2, concurrency=concurrency),
        )
        return self.client.deploy(Deployment("shop", definition), lambda _: None)

    def ask(self, rest: str = "") -> list[str]:
        """The words of an answer."""
        url = f"{self.url}/agent-runtimes/shop/invocations/{rest}"
        response = httpx.get(url, timeout=PATIENCE_S)
        assert response.status_code == 200, response.text
        return response.text.split()
