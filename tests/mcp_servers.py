"""An MCP server for tests, as a program to start or already at an address."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO

from patience import PATIENCE_S, until

_RUNNING = re.compile(rb"running on (http://[\w.:]+)")
COMMAND = [sys.executable, str(Path(__file__).with_name("mcp_server.py"))]


@contextmanager
def served() -> Iterator[str]:
    """The URL of one over streamable HTTP."""
    with TemporaryFile("w+b") as log:
        process = subprocess.Popen([*COMMAND, "0"], stderr=log)

        def said() -> re.Match[bytes] | None:
            assert process.poll() is None, _text(log)
            return _RUNNING.search(_text(log))

        until(lambda: said() is not None)
        found = said()
        assert found is not None
        yield f"{found[1].decode()}/mcp"
        process.terminate()
        process.wait(PATIENCE_S)


def _text(log: IO[bytes]) -> bytes:
    return os.pread(
        log.fileno(), 1_000_000, 0
    )  # by its own place: the program writes at the one that they share
