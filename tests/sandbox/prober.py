"""A program that plants things on the host and runs probes against them, one sandbox each. Speaks JSON lines.

It is a program so that the same can be tried by root and by an ordinary user.
"""

from __future__ import annotations

import json
import os
import secrets
import socket
import subprocess
import sys
import tempfile
from pathlib import Path

from agentrun.errors import AgentRunError
from agentrun.sandbox import SyncSandbox


def plant() -> dict[str, object]:
    """What is there to be found, if anything can be."""
    folder = Path(tempfile.mkdtemp(prefix="planted-"))
    (folder / "secret.txt").write_text("planted", encoding="utf-8")
    listener = socket.create_server(("127.0.0.1", 0))
    abstract, path = f"planted-{secrets.token_hex(8)}", folder / "socket"
    kept: list[object] = [listener]
    for address in (f"\0{abstract}", str(path)):
        one = socket.socket(socket.AF_UNIX)
        one.bind(address)
        one.listen()
        kept.append(one)
    half = secrets.token_hex(16)
    os.environ["PLANTED_API_KEY"] = f"PLANTED-{half}"
    return {
        "kept": kept,
        "file": str(folder / "secret.txt"),
        "folder": str(folder),
        "home": os.environ["HOME"],
        "pid": subprocess.Popen(["sleep", "300"]).pid,
        "port": listener.getsockname()[1],
        "abstract": abstract,
        "socket": str(path),
        # backwards, so that the question does not bring along what it looks for
        "secret_half": half[::-1],
    }


def answer(question: dict[str, object], host: dict[str, object]) -> dict[str, object]:
    told = {name: value for name, value in host.items() if name != "kept"}
    with SyncSandbox.create(warm=0, limits=question["limits"]) as box:
        box.run(f"HOST = {told!r}\n{question['prelude']}")
        ran = box.run(str(question["code"]), timeout_s=float(str(question["timeout_s"])))
        return {
            "text": None if ran.text is None else ran.text,
            "error": None if ran.error is None else f"{ran.error.name}: {ran.error.value}",
            "stderr": ran.stderr,
        }


def main() -> None:
    host = plant()
    for line in sys.stdin:
        try:
            said = answer(json.loads(line), host)
        except AgentRunError as error:
            said = {"failed": str(error), "code": error.code}
        sys.stdout.write(json.dumps(said) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
