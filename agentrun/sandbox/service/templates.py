"""Templates that callers make over HTTP: each key's own, kept in a file, beside those that the project and the user have written."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from agentrun.errors import ConfigError, Conflict, NotFound, RateLimited
from agentrun.sandbox import registry
from agentrun.sandbox.template import Template

_MOST = 200


class Made(msgspec.Struct, frozen=True):
    """A template: what was asked for in the original's words, and the keys of ours that it comes to."""

    name: str
    asked: Mapping[str, Any]
    keys: Mapping[str, Any]
    created_s: float
    changed_s: float
    is_written: bool = False  # in a file of the project or the user, or built in

    @property
    def template(self) -> Template:
        return registry.validate(self.keys, self.name)


class Templates:
    """Kept in `folder`, one file for each owner; without a folder they are gone with the process."""

    def __init__(self, folder: Path | None = None) -> None:
        self._folder = folder
        self._of: dict[str, dict[str, Made]] = {}
        self._began_s = time.time()  # when a written one was first seen, for all that is known

    def get(self, name: str, owner: str) -> Made:
        """The template of this name: the owner's own, or a written one."""
        own = self._own(owner).get(name)
        if own is not None:
            return own
        if name not in registry.names():
            raise NotFound(
                f'The sandbox template "{name}" does not exist.',
                hint=f"There are: {', '.join(made.name for made in self.list(owner))}.",
            )
        _, found = registry.resolve(name, {})
        keys = found.model_dump(mode="json", exclude_unset=True)
        return Made(name, {}, keys, self._began_s, self._began_s, is_written=True)

    def list(self, owner: str) -> Sequence[Made]:
        own = self._own(owner)
        written = [self.get(name, owner) for name in sorted(registry.names()) if name not in own]
        return [*own.values(), *written]

    def add(self, name: str, asked: Mapping[str, Any], keys: Mapping[str, Any], owner: str) -> Made:
        own = self._own(owner)
        if name in own or name in registry.names():
            raise Conflict(f'The sandbox template "{name}" already exists.')
        if len(own) >= _MOST:
            raise RateLimited(f"There are {len(own)} templates, which is the most.", hint="Delete one.")
        now = time.time()
        return self._keep(Made(name, asked, keys, now, now), owner)

    def change(self, name: str, asked: Mapping[str, Any], keys: Mapping[str, Any], owner: str) -> Made:
        """Sandboxes that run stay as they are."""
        before = self._changeable(name, owner)
        made = Made(
            name, {**before.asked, **asked}, _joined(before.keys, keys), before.created_s, time.time()
        )
        return self._keep(made, owner)

    def remove(self, name: str, owner: str) -> Made:
        made = self._changeable(name, owner)
        del self._own(owner)[name]
        self._save(owner)
        return made

    def _changeable(self, name: str, owner: str) -> Made:
        made = self.get(name, owner)
        if made.is_written:
            where = registry.names()[name]
            raise Conflict(f'The sandbox template "{name}" is not changed from here: {where}.')
        return made

    def _keep(self, made: Made, owner: str) -> Made:
        registry.validate(made.keys, made.name)
        self._own(owner)[made.name] = made
        self._save(owner)
        return made

    def _own(self, owner: str) -> dict[str, Made]:
        if owner not in self._of:
            self._of[owner] = _read(self._path(owner))
        return self._of[owner]

    def _save(self, owner: str) -> None:
        path = self._path(owner)
        if path is None:
            return
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        part = path.with_suffix(".part")
        # environment variables of a template may be secrets
        with os.fdopen(os.open(part, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600), "wb") as file:
            file.write(msgspec.json.encode(self._of[owner]))
        part.replace(path)

    def _path(self, owner: str) -> Path | None:
        return None if self._folder is None else self._folder / f"{owner or 'everybody'}.json"


def _read(path: Path | None) -> dict[str, Made]:
    if path is None or not path.is_file():
        return {}
    try:
        return msgspec.json.decode(path.read_bytes(), type=dict[str, Made])
    except msgspec.DecodeError as error:
        raise ConfigError(
            f"The templates in {path} cannot be read: {error}.", hint="Mend the file, or remove it."
        ) from None


def _joined(before: Mapping[str, Any], keys: Mapping[str, Any]) -> dict[str, Any]:
    """Limits are changed one by one."""
    limits = {**before.get("limits", {}), **keys.get("limits", {})}
    return {**before, **keys, "limits": limits}
