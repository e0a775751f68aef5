"""`agentrun deploy`: the project's agents, on a platform."""

from __future__ import annotations

from agentrun.cli import output
from agentrun.cli.platform import shipping, show
from agentrun.cli.platform.options import S_YAML, AccessName, Debug, Json, Template, Yes
from agentrun.cli.platform.project import platform_of, project_of
from agentrun.resources import Deployed


def deploy(
    template: Template = S_YAML,
    access: AccessName = None,
    yes: Yes = False,
    as_json: Json = False,
    debug: Debug = False,
) -> None:
    """Deploy the agents of s.yaml.

    Changed code or configuration becomes a new version. What runs goes on until the new version answers;
    if it does not, nothing has changed.
    """
    project = project_of(template)
    cargoes = shipping.load(project)
    with platform_of(project, access) as client:
        done = [shipping.deploy(client, cargo) for cargo in cargoes]
    if as_json:
        shown = [show.plain(each) for each in done]
        output.data(shown[0] if len(shown) == 1 else shown)
        return
    for each in done:
        _say(each)


def _say(done: Deployed) -> None:
    for note in done.notes:
        output.note(f"Note: {note}")
    made = "is new" if done.created else "was there already: nothing has changed in it"
    output.note(f"Version {done.version} of {done.agent.name} {made}.")
    show.answer(done.agent, as_json=False, name="agent")
