"""Programs that the tests deploy: the container contract is all that they know."""

from __future__ import annotations

# says what it was told, and does what its path asks for; some wait for a job of the name that they are given
PYTHON = """
import json, os, signal, sys, threading, time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

DATA = Path(os.environ.get("AGENTRUN_DATA", "."))


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        path, _, query = self.path.partition("?")
        seen = {"word": "WORD", "pid": os.getpid(), "port": os.environ["PORT"], "path": self.path}
        seen["variables"] = {name: os.environ[name] for name in os.environ if name.startswith("MY_")}
        seen["headers"] = {name.lower(): value for name, value in self.headers.items()}
        if path == "/slow":
            time.sleep(float(query or 1))
        elif path == "/hold":
            self.wait(query)
        elif path == "/burn":
            while not (DATA / query).exists():
                pass
        elif path == "/eat":
            eaten = b"x" * 180_000_000
            self.wait(query)
        elif path == "/say":
            print(f"said {query}", flush=True)
        elif path == "/job":
            threading.Thread(target=lambda: (time.sleep(0.3), (DATA / query).write_text("done"))).start()
        elif path == "/read":
            seen["found"] = (DATA / query).read_text() if (DATA / query).exists() else None
        elif path == "/end":
            os.kill(os.getpid(), signal.SIGKILL)
        self.send_response(STATUS if path == "/health" else int(query[:3]) if path == "/status" else 200)
        self.end_headers()
        self.wfile.write(json.dumps(seen).encode())

    def wait(self, name):
        while not (DATA / name).exists():
            time.sleep(0.02)

    def log_message(self, *args):
        pass


ThreadingHTTPServer.request_queue_size = 256
print("it has started", flush=True)
ThreadingHTTPServer(("127.0.0.1", int(os.environ["PORT"])), Handler).serve_forever()
"""

NODE = """
const { createServer } = require("node:http");
createServer((request, response) => response.end(JSON.stringify({ word: "node", port: process.env.PORT })))
  .listen(Number(process.env.PORT), "127.0.0.1");
"""

# the guide's own
DOCKERFILE_NODE = """
FROM node:18-alpine
WORKDIR /app
COPY package*.json ./
RUN npm ci --omit=dev
COPY . .
ENV NODE_ENV=production
EXPOSE 3000
CMD ["node","server.js"]
"""
DOCKERFILE_PYTHON = """
FROM python:3.11-slim
WORKDIR /app
COPY requirements.txt ./
RUN pip install -r requirements.txt --no-cache-dir
COPY . .
ENV PORT=3000
EXPOSE 3000
CMD ["python","app.py"]
"""


def python(word: str = "one", status: int = 200) -> dict[str, str]:
    """A project of one file."""
    return {"app.py": PYTHON.replace("WORD", word).replace("STATUS", str(status))}
