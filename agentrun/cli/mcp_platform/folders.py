"""Folders that a coding agent names: absolute, without a way up, and inside of the root that its person gave."""

from __future__ import annotations

from pathlib import Path

from agentrun.errors import RequestError


def inside(root: Path, text: str | None, argument: str = "targetPath") -> Path:
    """The folder, with its links followed; a RequestError if it is elsewhere."""
    if not text:
        raise RequestError(
            f"{argument} is missing.", hint=f"Give an absolute path inside of {root}.", param=argument
        )
    path = Path(text)
    if not path.is_absolute() or ".." in path.parts or "\0" in text:
        raise RequestError(
            f"{argument} is {text!r}, which is not absolute or leads upwards.",
            hint=f"Give an absolute path inside of {root}.",
            param=argument,
        )
    real = path.resolve()
    if not real.is_relative_to(root):
        raise RequestError(
            f"{argument} is {text}, and this server works inside of {root} only.",
            hint="Take a folder there, or start the server with another --root.",
            param=argument,
        )
    return real


def project(root: Path, text: str | None, name: str) -> Path:
    """The folder of a new project: the one that is named, if it has the project's name, or that name in it."""
    path = inside(root, text)
    return path if path.name == name else path / name


def existing(root: Path, text: str | None, argument: str = "targetPath") -> Path:
    """A folder that is there."""
    path = inside(root, text, argument)
    if not path.is_dir():
        raise RequestError(f"There is no folder {path}.", hint="Make a project: action init.", param=argument)
    return path
