"""Names that the original's integrations have and ours do not: whoever imports one is told what there is instead."""

from __future__ import annotations

from typing import Any

from agentrun.errors import ConfigError

_INSTEAD = {
    "skill_tools": 'Serve the skills\' texts with knowledgebase_toolset("NAME") (tools: {NAME: {folder: .skills}} in '
    "agentrun.yaml), and sandbox_toolset(...) to run what is in them.",
}


def __getattr__(name: str) -> Any:
    """Every integration has this as its own."""
    if name in _INSTEAD:
        raise ConfigError(f"There is no {name} here.", hint=_INSTEAD[name])
    raise AttributeError(f"no integration has {name!r}")
