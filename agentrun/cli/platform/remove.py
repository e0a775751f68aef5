"""`agentrun remove`: take the project's agents away."""

from __future__ import annotations

from agentrun.cli import output
from agentrun.cli.platform.options import (
    S_YAML,
    AccessName,
    Debug,
    Json,
    RuntimeName,
    Template,
    Yes,
    sure,
)
from agentrun.cli.platform.project import platform_of, project_of


def remove(
    template: Template = S_YAML,
    access: AccessName = None,
    runtime: RuntimeName = None,
    yes: Yes = False,
    as_json: Json = False,
    debug: Debug = False,
) -> None:
    """Remove the agents of s.yaml, with their versions, endpoints and instances. Their logs stay."""
    project = project_of(template) if runtime is None or template.is_file() else None
    names = (
        [runtime] if runtime else [resource.agent.name for resource in project.resources] if project else []
    )
    sure(f"Remove {', '.join(names)}? This cannot be undone.", yes=yes)
    with platform_of(project, access) as client:
        for name in names:
            client.remove(name)
            output.note(f"Removed {name}.")
    if as_json:
        output.data({"removed": names})
