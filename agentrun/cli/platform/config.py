"""`agentrun config`: the platforms that -a names, and what s.yaml comes to."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from agentrun.cli import output
from agentrun.cli.platform import accesses, show
from agentrun.cli.platform.options import S_YAML, Debug, Json, Template, group
from agentrun.cli.platform.project import project_of
from agentrun.errors import ConfigError
from agentrun.platform.spec import deployment_of, warnings_of

config = group("Settings: the platforms that -a names, and what s.yaml comes to.")

_Name = Annotated[str, typer.Argument(help="The name that -a and `access:` use.")]


@config.command("add")
def add(
    name: _Name = accesses.DEFAULT,
    url: Annotated[
        str | None,
        typer.Option(
            help="Control address of a platform; `local` is this machine's.", show_default="asked for"
        ),
    ] = None,
    key: Annotated[str | None, typer.Option(help="Its key.", show_default="asked for")] = None,
    as_json: Json = False,
    debug: Debug = False,
) -> None:
    """Name a platform."""
    asked = sys.stdin.isatty()
    where = url or (
        str(typer.prompt("Address", default=accesses.LOCAL, err=True)) if asked else accesses.LOCAL
    )
    local = where == accesses.LOCAL
    if not local and not where.startswith(("http://", "https://")):
        raise ConfigError(
            f"{where!r} is no address of a platform.", hint="It begins with https://, or is `local`."
        )
    if key is None and not local and asked:
        key = typer.prompt("Key", hide_input=True, err=True)
    found = accesses.Named() if local else accesses.Named(where.rstrip("/"), key)
    accesses.put(name, found)
    output.note(f"{name} is {where}.")
    if as_json:
        output.data({"name": name, **found.shown()})


@config.command("get")
def get(name: _Name = accesses.DEFAULT, as_json: Json = False, debug: Debug = False) -> None:
    """Show one; its key is not shown."""
    show.answer({"name": name, **accesses.get(name).shown()}, as_json=as_json)


@config.command("list")
def list_(as_json: Json = False, debug: Debug = False) -> None:
    """List them."""
    rows = [{"name": name, **access.shown()} for name, access in accesses.known().items()]
    show.listing(rows, as_json=as_json, empty="")


@config.command("remove")
def remove(name: _Name, as_json: Json = False, debug: Debug = False) -> None:
    """Forget one."""
    accesses.remove(name)
    output.note(f"Removed {name}.")
    if as_json:
        output.data({"removed": name})


@config.command("validate")
def validate(template: Template = S_YAML, as_json: Json = False, debug: Debug = False) -> None:
    """Check s.yaml as a deploy does, and do nothing."""
    project = project_of(template)
    for resource in project.resources:
        deployment_of(resource)
    notes = [note for resource in project.resources for note in warnings_of(resource)]
    for note in notes:
        output.note(f"Note: {note}")
    output.note(f"{template} is valid.")
    if as_json:
        output.data({"valid": True, "notes": notes})


@config.command("show")
def show_(template: Template = S_YAML, as_json: Json = False, debug: Debug = False) -> None:
    """Show what s.yaml comes to, with its references looked up and its defaults filled in."""
    project = project_of(template)
    found = {
        resource.name: resource.agent.model_dump(by_alias=True, mode="json", exclude_none=True)
        for resource in project.resources
    }
    for resource in project.resources:
        for name in resource.masked:
            found[resource.name]["environmentVariables"][name] = "***"
    show.answer({"name": project.name, "access": project.access, "resources": found}, as_json=as_json)
