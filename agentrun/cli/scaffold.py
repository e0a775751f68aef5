"""The starters of `agentrun init`: a table of them, and how one becomes a project."""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

from agentrun.errors import ConfigError

_NAME = "my-agent"  # the project's name in every template
_HERE = Path(__file__).parent


class Template(NamedTuple):
    """A starter: what it shows, the extra it needs, and a question it answers."""

    about: str
    extra: str | None
    question: str


TEMPLATES = {
    "blank": Template("One function that answers. No framework.", None, "Hello"),
    "tool-calling": Template(
        "A loop of a model and your Python tools. No framework.", None, "What is 6 * 7?"
    ),
    "langchain": Template("A LangChain agent with a tool.", "langchain", "What is 6 * 7?"),
    "langgraph": Template("A LangGraph graph of a model and its tools.", "langgraph", "What is 6 * 7?"),
    "openai-agents": Template("An OpenAI Agents SDK agent with a tool.", "openai-agents", "What is 6 * 7?"),
    "pydantic-ai": Template("A Pydantic AI agent with a tool.", "pydantic-ai", "What is 6 * 7?"),
    "google-adk": Template("A Google ADK agent with a tool.", "google-adk", "What is 6 * 7?"),
    "agentscope": Template("An AgentScope agent with a tool.", "agentscope", "What is 6 * 7?"),
    "crewai": Template("A CrewAI crew of one agent with a tool.", "crewai", "What is 6 * 7?"),
}


def make(template: str, folder: Path) -> list[Path]:
    """Write a template's files to `folder`; gives their paths from there. Overwrites nothing."""
    return copy(_source() / template, folder)


def copy(source: Path, folder: Path) -> list[Path]:
    """The same for the template in this folder."""
    files = sorted(path.relative_to(source) for path in source.rglob("*") if _is_part(path))
    there = [str(path) for path in files if (folder / path).exists()]
    if there:
        raise ConfigError(
            f"{folder} has {', '.join(there)} already, and nothing is overwritten.",
            hint="Take another folder: agentrun init my-other-agent",
        )
    name = name_for(folder)
    for path in files:
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        text = (source / path).read_text("utf-8")
        target.write_text(text.replace(_NAME, name), "utf-8")
    return files


def name_for(folder: Path) -> str:
    """A name that s.yaml allows: a letter, then letters, digits, _ or -."""
    name = re.sub(r"[^A-Za-z0-9_-]+", "-", folder.resolve().name).strip("-_")
    return (name if name[:1].isalpha() else f"agent-{name}".rstrip("-"))[:128]


def _source() -> Path:
    """In a wheel the templates are beside this file; in a checkout, at its top."""
    packed = _HERE / "templates"
    return packed if packed.is_dir() else _HERE.parent.parent / "templates"


def _is_part(path: Path) -> bool:
    return path.is_file() and "__pycache__" not in path.parts
