"""`python -m bench.integration`: what the adapters of frameworks cost per token, their import, and finding a model by name.

A framework that needs an environment of its own is measured in it; `scripts/test-frameworks` makes these environments.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from agentrun.integration import adapt
from agentrun.messages import AgentRequest, Message, Role
from agentrun.models import registry, resolve
from bench import document, proc
from bench.integration_agents import FRAMEWORKS, Framework

BEGIN, END = "<!-- bench.integration:begin -->", "<!-- bench.integration:end -->"
# what agentrun.integration.langchain is made of: a model is a ChatOpenAI, tools are StructuredTools
_PARTS = (
    "import langchain_core.messages, langchain_core.prompts, langchain_core.runnables, langchain_core.tools"
    "; from langchain_openai import ChatOpenAI"
)
_OURS = (
    "from agentrun.integration.langchain import model, toolset; import agentrun.integration.langchain_chat"
)


_ROOT = Path(__file__).resolve().parents[1]
# a crew would tell its maker about every start
_SILENT = {"CREWAI_DISABLE_TELEMETRY": "true", "OTEL_SDK_DISABLED": "true"}


class Line(NamedTuple):
    """A line of the table."""

    title: str
    theirs: str
    ours: str
    added: str
    target: str = ""


def main() -> None:
    options = _options()
    gc.disable()
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)  # nothing is configured here
        if options.only:
            line = _adapter(options.only, FRAMEWORKS[options.only], options.rounds, options.tokens)
            sys.stdout.write(msgspec.json.encode(line).decode())
            return
        lines = [line for name in FRAMEWORKS for line in _measured(name, options)]
        lines += [_import(options.rounds), *_finding(options.rounds)]
    text = _circumstances(options) + "\n\n" + _table(lines)
    print(text)
    if options.write:
        document.write(options.write, text, BEGIN, END)


def _measured(name: str, options: argparse.Namespace) -> list[Line]:
    """Here, or where the framework is installed; nowhere gives no line."""
    if FRAMEWORKS[name].installed:
        return [_adapter(name, FRAMEWORKS[name], options.rounds, options.tokens)]
    python = _ROOT / f".venv-{name}" / "bin" / "python"
    if not python.exists():
        print(f"{name} is left out: scripts/test-frameworks {name} makes its environment.", file=sys.stderr)
        return []
    command = [str(python), "-m", "bench.integration", "--only", name]
    command += ["--rounds", str(options.rounds), "--tokens", str(options.tokens)]
    answer = subprocess.run(
        command, cwd=_ROOT, env={**os.environ, **_SILENT}, stdout=subprocess.PIPE, check=True
    )
    # what the framework itself prints comes before
    return [msgspec.json.decode(answer.stdout.splitlines()[-1], type=Line)]


def _adapter(name: str, framework: Framework, rounds: int, tokens: int) -> Line:
    """CPU per token of the framework's own stream, and of the same through the adapter, by turns."""
    agent = framework.agent()
    question = "Say: " + " ".join(f"word{number}" for number in range(tokens))
    callback: Any = adapt(agent)
    request = AgentRequest(messages=[Message(Role.USER, question)])

    async def measure() -> list[tuple[float, float]]:
        streams: list[Callable[[], AsyncIterator[Any]]] = [
            lambda: framework.stream(agent)(question),
            lambda: callback(request),
        ]
        found: list[tuple[float, float]] = []
        for number in range(rounds + 1):
            costs = [0.0, 0.0]
            for which in (0, 1) if number % 2 else (1, 0):
                costs[which] = await _cpu_us(streams[which], tokens)
            found.append((costs[0], costs[1]))
        return found[1:]  # the first warmed up

    pairs = asyncio.run(measure())
    # the least of many rounds: what others do on the machine only ever adds
    theirs, ours = (min(side) for side in zip(*pairs, strict=True))
    return Line(
        f"{name} {version(_PACKAGES[name])}, CPU per token",
        f"{theirs:.1f} µs",
        f"{ours:.1f} µs",
        f"{ours - theirs:+.1f} µs",
        "at most 10 µs",
    )


_PACKAGES = {name: name for name in FRAMEWORKS} | {"pydantic-ai": "pydantic-ai-slim"}


async def _cpu_us(stream: Callable[[], AsyncIterator[Any]], tokens: int) -> float:
    gc.collect()
    began = time.process_time()
    async for _ in stream():
        pass
    return (time.process_time() - began) / tokens * 1_000_000


def _import(rounds: int) -> Line:
    pairs = [(_import_s(_PARTS), _import_s(_OURS)) for _ in range(rounds)]
    theirs, ours = (statistics.median(side) for side in zip(*pairs, strict=True))
    ratio = statistics.median(ours / theirs for theirs, ours in pairs)
    return Line(
        "import of integration.langchain, CPU",
        f"{theirs:.2f} s",
        f"{ours:.2f} s",
        f"× {ratio:.2f}",
        "at most × 1.15",
    )


def _import_s(program: str) -> float:
    process = subprocess.Popen([sys.executable, "-c", program])
    used = os.wait4(process.pid, 0)[2]
    process.returncode = 0
    return used.ru_utime + used.ru_stime


def _finding(rounds: int) -> list[Line]:
    """A name of agentrun.yaml, as each request of an agent may ask for it."""
    from agentrun.integration.langchain import model

    text = "models:\n" + "".join(
        f"  m{n}: {{base_url: http://127.0.0.1:9/v1, model: m}}\n" for n in range(50)
    )
    Path("agentrun.yaml").write_text(text, encoding="utf-8")
    registry.forget()
    model("m0")
    known = statistics.median(_ms(lambda: resolve("m0")) for _ in range(rounds * 20))
    new = statistics.median(_ms(lambda n=n: resolve(f"m{n}")) for n in range(1, 50))
    made = statistics.median(_ms(lambda: model("m0")) for _ in range(rounds * 20))
    return [
        Line("resolve() of a known name", "", f"{known:.3f} ms", "", "under 1 ms"),
        Line("resolve() of a new name", "", f"{new:.3f} ms", "", "under 1 ms"),
        Line("langchain's model() of a known name", "", f"{made:.3f} ms", "", "under 1 ms"),
    ]


def _ms(function: Callable[[], Any]) -> float:
    began = time.perf_counter()
    function()
    return (time.perf_counter() - began) * 1000


def _circumstances(options: argparse.Namespace) -> str:
    return (
        f"{time.strftime('%Y-%m-%d', time.gmtime())}, {proc.cpu_model()}, Python {platform.python_version()}, "
        f"agentrun {version('agentrun')}. The least of {options.rounds} rounds of {options.tokens} tokens, each stream "
        "by turns in one process; of all else medians. Command: `python -m bench.integration`."
    )


def _table(lines: list[Line]) -> str:
    head = [
        "| | the framework alone | through AgentRun | added | target |",
        "| --- | --: | --: | --: | --: |",
    ]
    return "\n".join([*head, *(f"| {' | '.join(line)} |" for line in lines)])


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser("python -m bench.integration", description=__doc__)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--tokens", type=int, default=1000)
    parser.add_argument("--write", type=Path, nargs="?", const=_ROOT / "docs" / "performance.md")
    parser.add_argument("--only", choices=FRAMEWORKS, help="one framework that is installed here, as JSON")
    options = parser.parse_args()
    options.write = options.write and options.write.absolute()
    return options


if __name__ == "__main__":
    main()
