"""From s.yaml to the platform: everything is checked first, then packed, sent, built and deployed."""

from __future__ import annotations

import re
from typing import NamedTuple

import msgspec

from agentrun.cli import output
from agentrun.cli.platform.progress import progress
from agentrun.client import Client
from agentrun.errors import ConfigError, RequestError
from agentrun.platform.builds import Package, pack
from agentrun.platform.spec import Project, Resource, deployment_of, warnings_of
from agentrun.resources import BuildResult, Deployed, Deployment, Hold


class Cargo(NamedTuple):
    """A resource, what it asks for, and its files."""

    resource: Resource
    wish: Deployment
    package: Package | None


def load(project: Project) -> list[Cargo]:
    """Every resource, checked and packed; nothing has been sent yet."""
    checked = [(resource, deployment_of(resource)) for resource in project.resources]
    return [_packed(project, resource, wish) for resource, wish in checked]


def build(client: Client, cargo: Cargo) -> BuildResult | None:
    """Install what it requires, on the platform; none if it has no files."""
    if cargo.package is None:
        return None
    _send(client, cargo.package)
    with progress(f"Building {cargo.wish.runtime}") as say:
        return client.build(cargo.package.digest, cargo.wish.definition.language, say)


def deploy(client: Client, cargo: Cargo, *, hold: Hold | None = None) -> Deployed:
    """Make it what runs; what is wrong with the file is said with its line."""
    for warning in warnings_of(cargo.resource):
        output.note(f"Note: {warning}")
    if cargo.package is not None:
        _send(client, cargo.package)
    wish = msgspec.structs.replace(cargo.wish, hold=hold)
    try:
        with progress(f"Deploying {wish.runtime}") as say:
            return client.deploy(wish, say)
    except RequestError as error:
        raise _placed(error, cargo.resource) from None


def _packed(project: Project, resource: Resource, wish: Deployment) -> Cargo:
    code = resource.agent.code
    if code is None or code.src is None:
        return Cargo(resource, wish, None)
    try:
        package = pack(project.folder / code.src)
    except ConfigError as error:
        place = resource.where("code", "src")
        raise ConfigError(f"{place}: {error.message}", hint=error.hint, code=error.code) from None
    definition = msgspec.structs.replace(
        wish.definition, package=package.digest, command=wish.definition.command or _default_command(package)
    )
    return Cargo(resource, msgspec.structs.replace(wish, definition=definition), package)


def _default_command(package: Package) -> tuple[str, ...]:
    files = {file.path for file in package.files}
    starts = {"app.py": "python3", "main.py": "python3", "index.js": "node", "server.js": "node"}
    for name, program in starts.items():
        if name in files:
            return program, name
    jars = [name for name in files if name.endswith(".jar")]
    if len(jars) == 1:
        return "java", "-jar", jars[0]
    raise ConfigError(
        "Nothing says how the program starts.", hint="Add code.command to s.yaml: [python3, app.py]."
    )


def _send(client: Client, package: Package) -> None:
    if not client.has_package(package.digest):
        client.put_package(package.digest, package.encode())


def _placed(error: RequestError, resource: Resource) -> RequestError:
    """The platform's refusal, with the line of the file that asked for it."""
    if not error.param or not re.fullmatch(r"driver|(endpoints|secrets)\.\d+(\.\w+)?", error.param):
        return error
    keys = [int(part) if part.isdecimal() else part for part in error.param.split(".")]
    said = f"{resource.where(*keys)}: {error.message}"
    return type(error)(said, hint=error.hint, code=error.code, param=error.param)
