"""The project that a command is about: its s.yaml, its runtimes, and the platform it goes to."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Generator
from contextlib import contextmanager
from functools import wraps
from pathlib import Path
from typing import NamedTuple

from agentrun import config
from agentrun.cli.platform.options import S_YAML, AccessName, Debug, Json, RuntimeName, Template
from agentrun.cli.platform.reach import reach
from agentrun.client import Client
from agentrun.errors import ConfigError
from agentrun.platform.spec import Project, read


class Target(NamedTuple):
    """A platform and the runtime on it that is meant."""

    client: Client
    runtime: str


def project_of(file: Path) -> Project:
    """What the file says, checked."""
    return read(file, config.environment)


@contextmanager
def platform_of(project: Project | None, access: str | None) -> Generator[Client]:
    """The platform that is named, or that the project names, or this machine's."""
    with reach(access or (project.access if project else None)) as client:
        yield client


def of_runtime(act: Callable[..., None]) -> Callable[..., None]:
    """A command about one runtime: `act` with, in the place of its first parameter, the options that say which it is."""
    signature = inspect.signature(act, eval_str=True)
    own = list(signature.parameters.values())[1:]
    shared = list(inspect.signature(_shared, eval_str=True).parameters.values())
    parameters = [each for each in own if each.name != "as_json"] + shared

    @wraps(act)
    def command(
        template: Path, access: str | None, runtime: str | None, as_json: bool, debug: bool, **given: object
    ) -> None:
        with target(template, access, runtime) as at:
            act(at, as_json=as_json, **given)

    command.__signature__ = signature.replace(parameters=parameters)  # type: ignore[attr-defined]
    command.__annotations__ = {each.name: each.annotation for each in parameters}
    return command


def _shared(
    template: Template = S_YAML,
    access: AccessName = None,
    runtime: RuntimeName = None,
    as_json: Json = False,
    debug: Debug = False,
) -> None:
    """The options of every such command."""


@contextmanager
def target(file: Path, access: str | None, runtime: str | None) -> Generator[Target]:
    """One runtime: the one that is named, or the only one of the project."""
    project = project_of(file) if runtime is None or file.is_file() else None
    if runtime is None:
        assert project is not None
        names = [resource.agent.name for resource in project.resources]
        if len(names) > 1:
            raise ConfigError(
                f"{file} has several agents: {', '.join(names)}.", hint="Say which one with --runtime NAME."
            )
        runtime = names[0]
    with platform_of(project, access) as client:
        yield Target(client, runtime)
