"""Programs: what in a folder is to run, and how. An s.yaml says so; else a Dockerfile, package.json, or a file's name."""

from __future__ import annotations

import json
import shlex
import sys
from pathlib import Path
from typing import Any, cast

import msgspec

from agentrun.cli.mcp_platform import dockerfile, folders, shell
from agentrun.cli.mcp_platform.arguments import ServerConfig, ServerType
from agentrun.cli.mcp_platform.sizes import KIND
from agentrun.cli.platform.project import project_of
from agentrun.errors import ConfigError, RequestError
from agentrun.platform.spec import deployment_of
from agentrun.resources import Definition, Deployment, Limits, Scale

FUNCTION_PORT, CONTAINER_PORT = 3000, 80
ENTRIES = tuple(
    f"{stem}{suffix}" for suffix in (".js", ".mjs", ".py") for stem in ("index", "app", "server", "main")
)
_FRAMEWORK = "@cloudbase/functions-framework"
_BOT_FRAMEWORK = "@cloudbase/aiagent-framework"
# The folder of the code is not written to; and what a request's headers hold is not for a file.
_FRAMEWORK_SETTINGS = (
    'export LOG_DIRNAME="${LOG_DIRNAME:-${AGENTRUN_DATA:-.}/logs}" '
    'LOG_EVENT_CONTEXT="${LOG_EVENT_CONTEXT:-false}"; '
)
# what CloudBase gives a service that asks for nothing
_SMALL = Definition((), limits=Limits(0.5, 1024), scale=Scale(min=0, max=5), port=FUNCTION_PORT)


class Program(msgspec.Struct, frozen=True):
    """What is to run: its kind, its files, and what is known of it before anybody configures it."""

    kind: ServerType
    folder: Path
    wish: Deployment
    is_whole: bool = False  # an s.yaml says all that there is to say


def find(
    root: Path, folder: Path, name: str, config: ServerConfig, kind: ServerType | None = None
) -> Program:
    """The program of a folder; a ConfigError says what was looked for."""
    source = _part(root, folder, config.build_dir)
    if config.entry_point or config.cmd:
        command = (*(config.entry_point or ()), *(config.cmd or ()))
        return _program(kind or "container", source, name, command, _language(source))
    if (folder / "s.yaml").is_file() and kind != "container":
        return _of_s_yaml(root, folder, name)
    file = folders.inside(root, str(source / (config.dockerfile or "Dockerfile")), "serverConfig.Dockerfile")
    if file.is_file() and kind != "function":
        return _of_dockerfile(source, file, name)
    if kind == "container":
        raise ConfigError(
            f"{source} has no {file.name}, and a container needs one.",
            hint="Add it, say how the program starts with serverConfig.EntryPoint, or take serverType function.",
        )
    return _program("function", source, name, _start_of(source), _language(source))


def is_container(folder: Path) -> bool:
    """Whether a folder is built rather than run."""
    return (folder / "Dockerfile").is_file() and not (folder / "s.yaml").is_file()


def _part(root: Path, folder: Path, part: str | None) -> Path:
    if part in (None, "", ".", "./"):
        return folder
    return folders.existing(root, str(folder / str(part)), "serverConfig.BuildDir")


def _program(kind: ServerType, folder: Path, name: str, command: tuple[str, ...], language: str) -> Program:
    port = FUNCTION_PORT if kind == "function" else CONTAINER_PORT
    definition = msgspec.structs.replace(
        _SMALL, command=command, language=language, port=port, labels={KIND: kind}
    )
    return Program(kind, folder, Deployment(name, definition))


def _of_s_yaml(root: Path, folder: Path, name: str) -> Program:
    project = project_of(folder / "s.yaml")
    known = {resource.agent.name: resource for resource in project.resources}
    if name not in known and len(known) > 1:
        raise RequestError(
            f"s.yaml has no agent {name}.",
            hint=f"Give one of its names as serverName: {', '.join(known)}.",
            param="serverName",
        )
    resource = known.get(name) or next(iter(known.values()))
    wish = deployment_of(resource)
    code = resource.agent.code
    source = (
        folders.inside(root, str((folder / code.src).resolve()), "code.src") if code and code.src else folder
    )
    definition = msgspec.structs.replace(
        wish.definition,
        command=wish.definition.command or _start_of(source),
        labels={KIND: "function"},
    )
    wish = msgspec.structs.replace(wish, runtime=name, definition=definition)
    return Program("function", source, wish, is_whole=True)


def _of_dockerfile(folder: Path, file: Path, name: str) -> Program:
    recipe = dockerfile.read(file.read_text("utf-8"), file.name)
    program = _program("container", folder, name, recipe.command, recipe.language)
    before = program.wish.definition
    definition = msgspec.structs.replace(
        before,
        port=recipe.port or before.port,
        variables=recipe.variables,
        health=recipe.health or before.health,
    )
    return msgspec.structs.replace(program, wish=msgspec.structs.replace(program.wish, definition=definition))


def _language(folder: Path) -> str:
    if (folder / "package.json").is_file():
        return "nodejs20"
    return f"python{sys.version_info.major}.{sys.version_info.minor}"


def _start_of(folder: Path) -> tuple[str, ...]:
    """How a function starts: a script of package.json, the functions framework, or the file that is named as such."""
    package = _package(folder)
    scripts = cast("dict[str, Any]", package.get("scripts") or {})
    script = scripts.get("start") or scripts.get("dev")
    wanted = cast("dict[str, Any]", package.get("dependencies") or {})
    if isinstance(script, str):
        return _script(script, of_framework=_FRAMEWORK in wanted)
    if _BOT_FRAMEWORK in wanted and _FRAMEWORK not in wanted:
        raise ConfigError(
            f"{_BOT_FRAMEWORK} cannot be had from the registry any more.",
            hint="Make the bot anew with action createAgent; it answers on the same routes.",
        )
    if _FRAMEWORK in wanted or (folder / "cloudbase-functions.json").is_file():
        return _script("tcb-ff", of_framework=True)
    for entry in ENTRIES:
        if (folder / entry).is_file():
            return ("python3" if entry.endswith(".py") else "node", entry)
    raise ConfigError(
        f"Nothing in {folder} says how the program starts.",
        hint=f"Add one of {', '.join(ENTRIES)}, a start or dev script in package.json, an s.yaml, or a Dockerfile.",
    )


def _package(folder: Path) -> dict[str, Any]:
    file = folder / "package.json"
    if not file.is_file():
        return {}
    try:
        found: object = json.loads(file.read_text("utf-8"))
    except ValueError as error:
        raise ConfigError(f"{file} is no JSON: {error}.") from None
    return cast("dict[str, Any]", found) if isinstance(found, dict) else {}


def _script(script: str, *, of_framework: bool) -> tuple[str, ...]:
    """A script of package.json, with the programs of its packages in reach."""
    words = shlex.split(script)
    if words[:1] == ["node"] and shell.is_plain(script) and not of_framework:
        return tuple(words)
    settings = _FRAMEWORK_SETTINGS if of_framework else ""
    return ("sh", "-c", f'{settings}PATH="$PWD/node_modules/.bin:$PATH"; {shell.become(script)}')
