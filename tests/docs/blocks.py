"""The fenced blocks of a Markdown page, run in their order in a terminal, as a reader would."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

from patience import PATIENCE_S

_ROOT = Path(__file__).parents[2]
_FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_SERVER = re.compile(r"(python app\.py|agentrun dev)\b")
_FILE = re.compile(r"# (\S+\.(?:py|yaml))\n")
_PORT = "9000"
_SERVED = re.compile(rb"http://127\.0\.0\.1:(\d+)")
_PLATFORM = {"AGENTRUN_GATEWAY": "127.0.0.1:0"}  # a port of its own for each test
_VARYING = (
    (re.compile(r"chatcmpl-[0-9a-f]+"), "chatcmpl-ID"),
    (re.compile(r"run_[0-9a-f]+"), "run_ID"),
    (re.compile(r'"created":\d+'), '"created":TIME'),
    (re.compile(r"\d+ ms"), "N ms"),
    (re.compile(r"\d+ \+ \d+ tokens"), "N + N tokens"),  # the built-in model estimates them
)


class Block(NamedTuple):
    """A fenced block and the line it starts on."""

    language: str
    text: str
    line: int


def blocks_of(page: Path) -> list[Block]:
    text = page.read_text("utf-8")
    return [
        Block(found[1], found[2], text.count("\n", 0, found.start()) + 1) for found in _FENCE.finditer(text)
    ]


def prose_of(page: Path) -> str:
    """The page without its blocks."""
    return _FENCE.sub("", page.read_text("utf-8"))


def without_what_varies(output: str) -> str:
    for pattern, name in _VARYING:
        output = pattern.sub(name, output)
    return "\n".join(line.rstrip() for line in output.strip().splitlines())


def follow(page: Path, folder: Path, plain: Callable[[str], str] = without_what_varies) -> None:
    """Do in this folder what the page says; each block that shows an output has to be the output of the one before."""
    with closing(Terminal(folder)) as terminal:
        for block in blocks_of(page):
            if block.language == "text":
                assert plain(terminal.output) == plain(block.text), f"{page.name}:{block.line}"
            else:
                terminal.run(block)


class Terminal:
    """Runs blocks in a folder; a server goes on beside them, on a port of its own choice."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._top = folder
        self._port = _PORT
        self._server: subprocess.Popen[bytes] | None = None
        self._log = folder / ".server.log"
        self.output = ""
        (folder / ".curlrc").write_text("silent\n", encoding="utf-8")

    def run(self, block: Block) -> None:
        """Run a program or commands, or save a file; `output` is then what was printed."""
        match block.language:
            case "python" | "yaml" if found := _FILE.match(block.text):
                self._save(Path(found[1]), block.text)
            case "python":
                self.output = ""
                self._run([sys.executable, "-c", self._here(block.text)])
            case "sh":
                self.output = ""
                for line in block.text.replace("\\\n", " ").splitlines():
                    self._command(line)
            case _:
                pass

    def close(self) -> None:
        if self._server is not None:
            self._server.terminate()
            self._server.wait(PATIENCE_S)
            self._server = None

    def _save(self, path: Path, text: str) -> None:
        served = path.parts[0] == "code"  # of a project that `agentrun dev` serves
        before = self._log.read_text("utf-8").count("Ready again") if served else 0
        fresh = (self._folder / path).with_suffix(".fresh")
        fresh.write_text(text, encoding="utf-8")
        fresh.rename(self._folder / path)  # whole, as editors do
        if served:
            self._until(lambda: self._log.read_text("utf-8").count("Ready again") > before)

    def _command(self, line: str) -> None:
        if line.startswith("cd "):
            self._folder /= line.removeprefix("cd ").strip()
        elif _SERVER.match(line):
            self._serve(line)
        elif line.startswith("make "):
            subprocess.run(
                ["bash", "-c", f"MAKEFLAGS=n {line}"], cwd=_ROOT, check=True
            )  # each is run by .ci/run
        elif line == "pip install .":
            pass  # tests/e2e/test_wheel.py does, without changing this environment
        else:
            self._run(["bash", "-c", self._here(line)])

    def _serve(self, line: str) -> None:
        self.close()
        with self._log.open("wb") as log:
            command = f"exec {line}"
            self._server = subprocess.Popen(
                ["bash", "-c", command],
                cwd=self._folder,
                env={**self._environment(), "PORT": "0"},
                stdout=log,
                stderr=log,
            )
        self._until(self._is_healthy)

    def _run(self, command: list[str]) -> None:
        done = subprocess.run(
            command,
            cwd=self._folder,
            env=self._environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
            timeout=PATIENCE_S,
        )
        self.output += done.stdout
        assert done.returncode == 0, f"{command[-1]}\n{done.stdout}"

    def _here(self, text: str) -> str:
        return text.replace(f":{_PORT}", f":{self._port}")

    def _environment(self) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if not name.endswith("_API_KEY")}
        path = f"{Path(sys.executable).parent}{os.pathsep}{kept.get('PATH', '')}"
        return {**kept, "HOME": str(self._top), "PATH": path, "PORT": self._port, **_PLATFORM}

    def _is_healthy(self) -> bool:
        assert self._server is not None and self._server.poll() is None, self._log.read_text("utf-8")
        if not (said := _SERVED.search(self._log.read_bytes())):
            return False
        self._port = said[1].decode()
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self._port}/health", timeout=PATIENCE_S):
                return True
        except OSError:
            return False

    def _until(self, true: Callable[[], bool]) -> None:
        end = time.monotonic() + PATIENCE_S
        while not true():
            assert time.monotonic() < end, self._log.read_text("utf-8")
            time.sleep(0.05)  # another program's state has no event to wait for
