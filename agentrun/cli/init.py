"""`agentrun init`: a project from a template."""

from __future__ import annotations

import os
import shlex
from pathlib import Path
from typing import Annotated

import typer

from agentrun.cli import output
from agentrun.cli.scaffold import TEMPLATES, Template, make
from agentrun.errors import ConfigError


def _complete() -> list[tuple[str, str]]:
    return [(name, template.about) for name, template in TEMPLATES.items()]


def init(
    folder: Annotated[Path, typer.Argument(metavar="[DIR]", help="Folder of the project.")] = Path(),
    template: Annotated[
        str, typer.Option("--template", "-t", help=" | ".join(TEMPLATES), autocompletion=_complete)
    ] = "blank",
    show_list: Annotated[bool, typer.Option("--list", help="List the templates.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,
) -> None:
    """Start a project from a template.

    Every template runs at once, offline and without a key. Nothing that exists is overwritten.
    """
    if show_list:
        _show_list(as_json=as_json)
        return
    if template not in TEMPLATES:
        raise ConfigError(f"There is no template {template!r}.", hint=f"There are: {', '.join(TEMPLATES)}.")
    files = make(template, folder)
    commands = _next(folder, TEMPLATES[template])
    if as_json:
        paths = [str(folder / path) for path in files]
        output.data({"template": template, "folder": str(folder), "files": paths, "next": commands})
        return
    output.note(f"Made {folder.resolve().name} from the template {template}: {', '.join(map(str, files))}")
    output.note("Next:\n" + "\n".join(f"  {command}" for command in commands))


def _show_list(*, as_json: bool) -> None:
    if as_json:
        output.data([{"name": name, "about": template.about} for name, template in TEMPLATES.items()])
        return
    width = max(map(len, TEMPLATES))
    for name, template in TEMPLATES.items():
        print(f"{name:{width}}  {template.about}")


def _next(folder: Path, template: Template) -> list[str]:
    there = os.path.relpath(folder)
    commands = [] if there == "." else [f"cd {shlex.quote(there)}"]
    if template.extra is not None:
        commands.append("pip install -r code/requirements.txt")
    commands.append("agentrun dev")
    commands.append(f'agentrun invoke "{template.question}"   # in a second terminal')
    return commands
