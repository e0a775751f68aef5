"""`agentrun build`: what the project's agents require, installed once."""

from __future__ import annotations

from agentrun.cli import output
from agentrun.cli.platform import shipping, show
from agentrun.cli.platform.options import S_YAML, AccessName, Debug, Json, Template
from agentrun.cli.platform.project import platform_of, project_of


def build(
    template: Template = S_YAML, access: AccessName = None, as_json: Json = False, debug: Debug = False
) -> None:
    """Install what the agents of s.yaml require.

    The same requirements are never installed twice, whichever agent has them. `deploy` does this too.
    """
    project = project_of(template)
    cargoes = shipping.load(project)
    results: list[object] = []
    with platform_of(project, access) as client:
        for cargo in cargoes:
            output.note(f"Building agent: {cargo.wish.runtime}")
            results.append(shipping.build(client, cargo))
    if as_json:
        output.data(show.plain(results[0] if len(results) == 1 else results))
    else:
        output.note("✅ Build completed successfully")
