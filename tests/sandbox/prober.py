"""A program that plants things on the host and runs probes against them, one sandbox each. Speaks JSON lines.

It is a program so that the same can be tried by root and by an ordinary user.
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from agentrun.errors import AgentRunError
from agentrun.sandbox import SyncSandbox


@contextlib.contextmanager
def planted() -> Iterator[dict[str, object]]:
    """What is there to be found, if anything can be."""
    half = secrets.token_hex(16)
    os.environ["PLANTED_API_KEY"] = f"PLANTED-{half}"
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="planted-")))
        (folder / "secret.txt").write_text("planted", encoding="utf-8")
        listener = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
        abstract, path = f"planted-{secrets.token_hex(8)}", folder / "socket"
        for address in (f"\0{abstract}", str(path)):
            one = stack.enter_context(socket.socket(socket.AF_UNIX))
            one.bind(address)
            one.listen()
        sleeper = stack.enter_context(subprocess.Popen(["sleep", "300"]))
        stack.callback(sleeper.kill)
        yield {
            "file": str(folder / "secret.txt"),
            "folder": str(folder),
            "home": os.environ["HOME"],
            "pid": sleeper.pid,
            "port": listener.getsockname()[1],
            "abstract": abstract,
            "socket": str(path),
            # backwards, so that the question does not bring along what it looks for
            "secret_half": half[::-1],
        }
    del os.environ["PLANTED_API_KEY"]


def answer(question: dict[str, object], host: dict[str, object]) -> dict[str, object]:
    with SyncSandbox.create(warm=0, limits=question["limits"]) as box:
        box.run(f"HOST = {host!r}\n{question['prelude']}")
        ran = box.run(str(question["code"]), timeout_s=float(str(question["timeout_s"])))
        return {
            "text": None if ran.text is None else ran.text,
            "error": None if ran.error is None else f"{ran.error.name}: {ran.error.value}",
            "stderr": ran.stderr,
        }


def main() -> None:
    with planted() as host:
        for line in sys.stdin:
            try:
                said = answer(json.loads(line), host)
            except AgentRunError as error:
                said = {"failed": str(error), "code": error.code}
            sys.stdout.write(json.dumps(said) + "\n")
            sys.stdout.flush()


if __name__ == "__main__":
    main()
