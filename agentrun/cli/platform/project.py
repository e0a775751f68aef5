"""The project that a command is about: its s.yaml, its runtimes, and the platform it goes to."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from agentrun import config
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
