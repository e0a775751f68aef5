"""The templates of new projects: plain services, and the agents that `agentrun init` knows."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from agentrun.cli import scaffold
from agentrun.errors import RequestError

SERVICES = {
    "helloworld": ("Python's own HTTP server. Needs nothing.", "python"),
    "node": ("Node's own HTTP server. Needs Node.js.", "node"),
    "python": ("FastAPI, with its requirements.", "python"),
}
_HERE = Path(__file__).with_name("templates")


def shown() -> list[dict[str, Any]]:
    """All of them, for a list."""
    services = [
        {"identifier": name, "title": about, "language": language, "type": "service"}
        for name, (about, language) in SERVICES.items()
    ]
    agents = [
        {"identifier": name, "title": template.about, "language": "python", "type": "agent"}
        for name, template in scaffold.TEMPLATES.items()
    ]
    return services + agents


def check(name: str, *, only_agents: bool = False) -> None:
    """A RequestError names those that there are."""
    known = [*(() if only_agents else SERVICES), *scaffold.TEMPLATES]
    if name not in known:
        raise RequestError(
            f"There is no template {name!r}.", hint=f"There are: {', '.join(known)}.", param="template"
        )


def make(name: str, folder: Path) -> list[Path]:
    """Write a template's files to a folder; gives their paths from there. Overwrites nothing."""
    return scaffold.copy(_HERE / name, folder) if name in SERVICES else scaffold.make(name, folder)
