"""Environments: what programs require, installed once for all that require the same."""

from __future__ import annotations

import asyncio
import json
import os
import platform
import shutil
import sys
import sysconfig
from collections.abc import Callable
from hashlib import sha256
from importlib.metadata import PackageNotFoundError, requires
from pathlib import Path
from typing import Any, cast

import msgspec

from agentrun.errors import BuildFailed
from agentrun.platform.builds.requirements import lines_of, normal

Say = Callable[[str], None]

_DONE = "complete"
_LAST_LINES = 15
_HERE = Path(__file__)


class Built(msgspec.Struct, frozen=True):
    """What a program runs in. An empty digest is the platform's own environment."""

    digest: str
    cached: bool


class Environments:
    """A folder of environments, each named by what is in it."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._busy: dict[str, asyncio.Lock] = {}
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)

    def path(self, digest: str) -> Path:
        """The folder of an environment; programs are in its `bin`, those of Node in `node_modules`."""
        return self._folder / digest

    async def ensure(self, code: Path, language: str, say: Say) -> Built:
        """The environment for the program in `code`. One that was not finished is made anew."""
        node = language.startswith("nodejs")
        wanted = _node_wants(code) if node else _python_wants(code, language, say)
        if not wanted:
            return Built("", cached=True)
        digest = sha256("\n".join(wanted).encode()).hexdigest()[:40]
        folder = self.path(digest)
        async with self._busy.setdefault(digest, asyncio.Lock()):
            cached = (folder / _DONE).exists()
            if cached:
                say("What it requires is installed already")
            else:
                shutil.rmtree(folder, ignore_errors=True)
                install = _install_node if node else _install_python
                await install(folder, code, wanted, say)
                await asyncio.to_thread(_finish, folder)
            if node:
                _link_node_modules(folder, code)
        return Built(digest, cached=cached)


def _finish(folder: Path) -> None:
    """Say that it is whole, once all of it is on the disk."""
    os.sync()  # one call for thousands of files
    (folder / _DONE).touch()


def _python_wants(code: Path, language: str, say: Say) -> list[str]:
    """What there is to install, and for what; empty if there is nothing."""
    asked = language.removeprefix("python")
    ours = f"{sys.version_info.major}.{sys.version_info.minor}"
    if asked != language and asked != ours:
        say(f"python{asked} is asked for; the platform runs programs with its own, which is {ours}")
    file = code / "requirements.txt"
    lines = normal(lines_of(file.read_text("utf-8")), _extra) if file.is_file() else []
    if not lines:
        return []
    # options and paths may refer to other files of the package, whose folder is named by all of them
    refers = any(line.startswith(("-", ".", "/")) for line in lines)
    machine = f"{sys.implementation.cache_tag} {platform.system()} {platform.machine()}"
    return [machine, *([code.name] if refers else []), *lines]


def _extra(name: str) -> list[str]:
    """What an extra of AgentRun's asks for."""
    try:
        found = requires("agentrun") or []
    except PackageNotFoundError:
        return []
    marks = (f"extra == '{name}'", f'extra == "{name}"')
    return [line.partition(";")[0].strip() for line in found if any(mark in line for mark in marks)]


async def _install_python(folder: Path, code: Path, wanted: list[str], say: Say) -> None:
    lines = [line for line in wanted[1:] if line != code.name]
    say(f"Installing {len(lines)} requirement{'s' if len(lines) != 1 else ''}")
    uv, python = _program("uv"), str(folder / "bin" / "python")
    listing = folder.with_name(f"{folder.name}.txt")
    listing.write_text("\n".join(lines) + "\n", encoding="utf-8")
    if uv is not None:
        await _run(uv, "venv", "--quiet", "--python", sys.executable, str(folder), cwd=code)
        # instances write no bytecode of their own, so what is not compiled now is compiled at every start
        command = [uv, "pip", "install", "--compile-bytecode", "--python", python, "-r", str(listing)]
        try:
            await _run(*command, cwd=code, say=say)
        except BuildFailed:
            # the network may be away, and all of it be in uv's cache
            if not await _worked(*command, "--offline", cwd=code):
                raise
    else:
        await _run(sys.executable, "-m", "venv", str(folder), cwd=code)
        await _run(python, "-m", "pip", "install", "--quiet", "-r", str(listing), cwd=code, say=say)
    listing.replace(folder / "requirements.txt")
    _let_in_agentrun(folder)


def _let_in_agentrun(folder: Path) -> None:
    """The platform's own packages stand behind the program's: AgentRun is among them."""
    (target,) = folder.glob("lib/python*/site-packages")
    ours = sysconfig.get_paths()["purelib"]
    root = str(_HERE.parents[3])
    paths = [ours] if root == ours else [ours, root]
    text = "import site; " + "; ".join(f"site.addsitedir({path!r})" for path in paths)
    (target / "zz-agentrun.pth").write_text(text + "\n", encoding="utf-8")


def _node_wants(code: Path) -> list[str]:
    file = code / "package.json"
    if not file.is_file():
        return []
    try:
        said: Any = json.loads(file.read_text("utf-8"))
    except ValueError as error:
        raise BuildFailed(f"package.json is no JSON: {error}.") from None
    wanted = cast("dict[str, Any]", said).get("dependencies") if isinstance(said, dict) else None
    if not wanted:
        return []
    lock = code / "package-lock.json"
    return [
        f"node {platform.system()} {platform.machine()}",
        json.dumps(wanted, sort_keys=True),
        lock.read_text("utf-8") if lock.is_file() else "",
    ]


async def _install_node(folder: Path, code: Path, wanted: list[str], say: Say) -> None:
    npm = _program("npm")
    if npm is None:
        raise BuildFailed(
            "npm is not installed.", hint="Install Node.js, or put node_modules into the package."
        )
    _take_manifest(code, folder)
    say("Installing what package.json requires")
    verb = "ci" if (folder / "package-lock.json").is_file() else "install"
    await _run(npm, verb, "--omit=dev", "--no-audit", "--no-fund", cwd=folder, say=say)


def _take_manifest(code: Path, folder: Path) -> None:
    folder.mkdir(parents=True)
    for name in ("package.json", "package-lock.json"):
        if (code / name).is_file():
            shutil.copy(code / name, folder / name)


def _link_node_modules(folder: Path, code: Path) -> None:
    """Node looks beside the program. The same package always requires the same."""
    if not (code / "node_modules").exists():
        (code / "node_modules").symlink_to(folder / "node_modules")


def _program(name: str) -> str | None:
    beside = Path(sys.executable).with_name(name)
    return str(beside) if beside.is_file() else shutil.which(name)


async def _worked(*command: str, cwd: Path) -> bool:
    try:
        await _run(*command, cwd=cwd)
    except BuildFailed:
        return False
    return True


async def _run(*command: str, cwd: Path, say: Say | None = None) -> None:
    process = await asyncio.create_subprocess_exec(
        *command,
        cwd=cwd,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    assert process.stdout is not None
    lines: list[str] = []
    try:
        async for raw in process.stdout:
            line = raw.decode("utf-8", "replace").rstrip()
            lines = [*lines[-_LAST_LINES + 1 :], line]
            if say is not None and line:
                say(line)
        status = await process.wait()
    except BaseException:
        if process.returncode is None:
            process.kill()
            await process.wait()
        raise
    if status:
        last = "\n".join(lines) or f"It ended with {status}."
        raise BuildFailed(
            f"{Path(command[0]).name} failed:\n{last}",
            hint="Are the requirements right, and can the package index be reached?",
        )
