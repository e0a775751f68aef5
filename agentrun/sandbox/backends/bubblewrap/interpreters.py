"""Which Python runs in a sandbox, and the folders of packages it has."""

from __future__ import annotations

import asyncio
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import msgspec

from agentrun.errors import ConfigError
from agentrun.sandbox.backends.bubblewrap.world import Interpreter
from agentrun.sandbox.template import Template

_ASK = """
import json, os, site, sys, sysconfig
own = [path for path in sys.path if path.endswith(("site-packages", "dist-packages"))]
venv = sys.prefix != sys.base_prefix
print(json.dumps({"prefix": os.path.realpath(sys.base_prefix), "program": os.path.realpath(sys.executable),
                  "packages": own if venv else [], "library": sysconfig.get_config_var("LDLIBRARY") or "",
                  "folder": sysconfig.get_config_var("LIBDIR") or ""}))
"""
_INSTALL_S = 600
_known: dict[str, Interpreter] = {}


class _Answer(msgspec.Struct):
    prefix: str
    program: str
    packages: list[str]
    library: str
    folder: str


async def of(template: Template) -> Interpreter:
    """The interpreter of a template; its packages are installed if they are not yet."""
    program = template.python or sys.executable
    found = _known.get(program)
    if found is None:
        found = _known[program] = await asyncio.to_thread(_ask, program)
    packages = list(found.packages) if template.python else []
    if template.packages:
        packages.append(await asyncio.to_thread(_install, tuple(template.packages), found))
    return msgspec.structs.replace(found, packages=packages)


def _ask(program: str) -> Interpreter:
    if shutil.which(program) is None:
        raise ConfigError(f"There is no Python at {program}, which the template names.")
    # with its surroundings: some find their own library only by LD_LIBRARY_PATH
    ran = subprocess.run([program, "-I", "-c", _ASK], capture_output=True, timeout=30)
    try:
        answer = msgspec.json.decode(ran.stdout, type=_Answer)
    except msgspec.DecodeError:
        raise ConfigError(f"{program} is no Python that works.") from None
    return Interpreter(
        answer.prefix, os.path.relpath(answer.program, answer.prefix), answer.packages, _libraries(answer)
    )


def _libraries(answer: _Answer) -> str:
    """Where below its prefix it has its own library, if it has. One that was moved may name the old place."""
    if ".so" in answer.library:
        for folder in (answer.folder, f"{answer.prefix}/lib"):
            if Path(folder).is_relative_to(answer.prefix) and Path(folder, answer.library).exists():
                return os.path.relpath(folder, answer.prefix)
    return ""


def _install(packages: Sequence[str], python: Interpreter) -> str:
    """The folder with these packages, made when it is first needed; what is there once is never changed."""
    program = str(Path(python.prefix) / python.program)
    mark = hashlib.sha256("\0".join([python.prefix, python.program, *sorted(packages)]).encode()).hexdigest()[
        :24
    ]
    place = Path.home() / ".cache" / "agentrun" / "packages" / mark
    if place.is_dir():
        return str(place)
    place.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=place.parent) as scratch:
        target = Path(scratch) / "packages"
        ran = subprocess.run(
            [*_installer(program), "--target", str(target), *packages],
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            timeout=_INSTALL_S,
        )
        if ran.returncode:
            raise ConfigError(
                f"The packages {', '.join(packages)} could not be installed: {ran.stderr.strip()[-800:]}",
                hint="Correct `packages` in the template.",
            )
        try:
            target.rename(place)
        except OSError:  # another process was faster
            if not place.is_dir():
                raise
    return str(place)


def _installer(program: str) -> list[str]:
    uv = shutil.which("uv")
    if uv is not None:
        return [uv, "pip", "install", "--python", program, "--compile-bytecode"]
    return [program, "-m", "pip", "install", "--disable-pip-version-check", "--no-input"]
