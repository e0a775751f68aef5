"""Answers whether a page gets at something. Run on its own, so that the same can be tried by root and by an ordinary user.

Two sandboxes with browsers are there: what is asked is done in `box`, which must not find anything of `other` or of the host.
"""

from __future__ import annotations

import json
import sys
from typing import Any

from agentrun.errors import AgentRunError
from agentrun.sandbox import SyncSandbox
from sandbox.prober import planted

SECRET = "<title>theirs</title><script>localStorage.mine = document.cookie = 'left=behind'</script>"
SERVE = "exec python3 -m http.server 8000 --bind 127.0.0.1 >/dev/null 2>&1"
READY = (
    "for i in $(seq 1000); do (exec 3<>/dev/tcp/127.0.0.1/8000) 2>/dev/null && exit; sleep 0.1; done; exit 1"
)


def main() -> None:
    try:
        with planted() as host, SyncSandbox.create("aio", warm=0) as box, SyncSandbox.create("aio") as other:
            serve(other, SECRET)
            other.browser.open("http://127.0.0.1:8000/")
            ask(box, host)
    except AgentRunError as error:
        say({"failed": str(error), "code": error.code})


def serve(box: SyncSandbox, page: str) -> None:
    box.files.write("index.html", page)
    box.processes.start(SERVE)
    assert box.processes.run(READY).exit_code == 0


def ask(box: SyncSandbox, host: dict[str, object]) -> None:
    known: dict[str, Any] = {"box": box, "browser": box.browser, "host": host, "serve": serve, "opened": None}

    def opened(url: str) -> str:
        """Why it could not be opened, or what is there."""
        try:
            box.browser.open(url, timeout_s=20)
        except AgentRunError as error:
            return error.message
        return "OPENED: " + box.browser.read().text

    known["opened"] = opened
    for line in sys.stdin:
        try:
            say({"text": str(eval(json.loads(line)["code"], known))})
        except AgentRunError as error:
            say({"text": f"{error.code}: {error.message}"})


def say(said: dict[str, object]) -> None:
    sys.stdout.write(json.dumps(said) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
