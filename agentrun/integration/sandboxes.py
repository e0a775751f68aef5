"""What every integration answers when it is asked for the tools of a sandbox."""

from __future__ import annotations

from typing import Any

from agentrun.errors import ConfigError


def sandbox_toolset(template_name: str, **options: Any) -> list[Any]:
    """The tools of a sandbox by the name of its template."""
    raise ConfigError(
        f'There is no sandbox "{template_name}": this version of AgentRun has no sandboxes yet.',
        hint="Leave sandbox_toolset out, or give the agent tools of your own.",
    )
