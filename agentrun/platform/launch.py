"""What an instance of a version is started with."""

from __future__ import annotations

import re
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import msgspec

from agentrun.errors import ConfigError
from agentrun.platform.drivers.driver import Launch
from agentrun.resources import SecretRef, Version

_PYTHON = re.compile(r"python(?:3(?:\.\d+)?)?")
_PACKAGE = Path(__file__).parents[2]


class Places(msgspec.Struct, frozen=True):
    """Where things are on this machine."""

    code: Callable[[str], Path]  # of a package, by its digest
    environment: Callable[[str], Path]  # of what is installed, by its digest
    data: Path
    path: str  # where programs are looked for
    url: Callable[[], str]  # of the gateway
    names: Path | None = None  # an agentrun.yaml, whose models, tools and sandboxes every agent finds


def launch_of(version: Version, places: Places, secret: Callable[[SecretRef], str]) -> Launch:
    """The template for a version's instances; the driver adds ids and the port."""
    wanted = version.definition
    own = places.environment(wanted.packages) if wanted.packages else None
    folder = places.code(wanted.package) if wanted.package else places.data / version.runtime
    data = places.data / version.runtime
    programs = [str((own or Path(sys.prefix)) / "bin"), str(Path(sys.prefix) / "bin"), places.path]
    path = ":".join(dict.fromkeys(programs))
    command = command_of(wanted.command, wanted.language, own, path)
    secrets = {ref.name: secret(ref) for ref in wanted.secrets}
    names = [] if places.names is None else [str(places.names)]
    return Launch(
        instance="",
        version=version.id,
        command=command,
        folder=str(folder),
        environment={
            "PATH": path,
            "HOME": str(data),
            "LANG": "C.UTF-8",
            "PYTHONUNBUFFERED": "1",
            "PYTHONDONTWRITEBYTECODE": "1",
            "AGENTRUN_RUNTIME": version.runtime,
            **({"AGENTRUN_PLATFORM_NAMES": names[0]} if names else {}),
            **({"AGENTRUN_BOT_ID": wanted.bot_id} if wanted.bot_id else {}),
            **wanted.variables,
            **secrets,
        },
        log="",
        data=str(data),
        readable=(*_readable(command[0], own), *names),
        limits=wanted.limits,
        health=wanted.health,
        masked=(*wanted.masked, *secrets),
        preload=can_preload(wanted.command),
    )


def command_of(command: tuple[str, ...], language: str, own: Path | None, path: str) -> tuple[str, ...]:
    """The command with its program found: Python is that of the version's own environment."""
    program, *arguments = command
    if _PYTHON.fullmatch(program):
        return (str(own / "bin" / "python") if own else sys.executable, *arguments)
    if "/" in program:  # from the package's folder, or of the machine
        return command
    found = shutil.which(program, path=path)
    if found is None:
        hint = f"Install it: it is what {language} needs." if language != "custom" else "Is it installed?"
        raise ConfigError(f"There is no program {program!r} on this machine.", hint=hint)
    return (found, *arguments)


def can_preload(command: tuple[str, ...]) -> bool:
    """Whether a parent that has loaded things already can become this: Python with a file or a module."""
    program, *arguments = command
    if not _PYTHON.fullmatch(program):
        return False
    rest = [argument for argument in arguments if argument != "-u"]
    return bool(rest) and (rest[0].endswith(".py") or (rest[0] == "-m" and len(rest) > 1))


def _readable(program: str, own: Path | None) -> tuple[str, ...]:
    """What a program needs to see besides its code: its interpreter, its packages, AgentRun."""
    real = Path(program).resolve()
    found = [sys.prefix, sys.base_prefix, str(_PACKAGE), *([str(own)] if own else [])]
    if real.is_absolute() and real.parent.name == "bin":
        found.append(str(real.parent.parent))
    return tuple(dict.fromkeys(found))
