"""What a project's files say: the sections of `agentrun.yaml`, `~/.agentrun/config.yaml` and the platform's, with profile, references
and lines."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any, TypeVar, cast

import msgspec
from pydantic import BaseModel, ValidationError

from agentrun import config
from agentrun.errors import ConfigError
from agentrun.utils.yaml import Document, Keys, YamlError

SECTIONS = ("server", "default_model", "models", "sandboxes", "tools", "profiles")
PROFILE = "AGENTRUN_PROFILE"
PLATFORM = "AGENTRUN_PLATFORM_NAMES"  # the file of the platform that an agent runs on
_PRODUCTION = ("prod", "production")
_REFERENCE = re.compile(r"\$\{env:([A-Za-z_][A-Za-z0-9_]*)\}")

Spec = TypeVar("Spec", bound=BaseModel)

_read: dict[Path, tuple[tuple[int, int], Document]] = {}


class Entry(msgspec.Struct, frozen=True):
    """What is written under one name of a section: its fields, and where each one stands."""

    fields: Mapping[str, Any]
    places: Mapping[str, tuple[Document, Keys]]
    document: Document
    keys: Keys

    @property
    def where(self) -> str:
        return self.document.where(self.keys)

    def place(self, keys: Keys) -> str:
        """The file and line of a field, or of something inside it."""
        if keys and keys[0] in self.places:
            document, base = self.places[str(keys[0])]
            return document.where((*base, *keys[1:]))
        return self.document.where((*self.keys, *keys))


def profile() -> str:
    """dev, unless `AGENTRUN_PROFILE` says otherwise."""
    return config.environment(PROFILE) or "dev"


def in_production() -> bool:
    return profile().lower() in _PRODUCTION


def section(name: str) -> dict[str, Entry]:
    """The entries of a section by name; those of the project win over those of the user, these over the platform's."""
    entries: dict[str, Entry] = {}
    for document in reversed(_documents()):
        for keys in ((name,), ("profiles", profile(), name)):
            for key, value in _mapping_at(document, keys).items():
                entries[key] = _entry(document, (*keys, key), value, entries.get(key))
    return entries


def value(name: str) -> tuple[str, str] | None:
    """A plain setting and where it stands; the profile's wins over the general one."""
    for document in _documents():
        for keys in (("profiles", profile(), name), (name,)):
            found = _at(document, keys)
            if found is not None:
                return str(found), document.where(keys)
    return None


def check(entry: Entry, name: str, spec: type[Spec]) -> Spec:
    """The entry as what it is to be; its references are looked up. A ConfigError names file and line."""
    fields = {key: _resolve(inner, entry, (key,)) for key, inner in entry.fields.items()}
    try:
        return spec.model_validate(fields)
    except ValidationError as error:
        raise explain(error, name, spec, entry) from None


def explain(error: ValidationError, name: str, spec: type[BaseModel], entry: Entry | None) -> ConfigError:
    """What is wrong with a spec, in one line, and what to do about it."""
    first = error.errors()[0]
    keys = tuple(first["loc"])
    place = entry.place(keys) if entry is not None else "the arguments"
    shown = ".".join(str(key) for key in keys)
    if first["type"] == "extra_forbidden":
        known = list(spec.model_fields)
        near = get_close_matches(str(keys[-1]), known, 1)
        hint = f"Did you mean {near[0]}?" if near else f"There are: {', '.join(known)}."
        return ConfigError(f'{place}: "{name}" has no key {shown}.', hint=hint)
    reason = first["msg"].removeprefix("Value error, ")
    subject = f'"{name}": {shown} is wrong' if shown else f'"{name}" is wrong'
    return ConfigError(f"{place}: {subject}: {reason}.")


def _entry(document: Document, keys: Keys, value: object, base: Entry | None) -> Entry:
    if not isinstance(value, dict):
        return Entry({"": value}, {"": (document, keys)}, document, keys)
    fields = cast("dict[str, Any]", value)
    places = {field: (document, (*keys, field)) for field in fields}
    if base is None or "" in base.fields or keys[0] != "profiles":
        return Entry(fields, places, document, keys)
    return Entry({**base.fields, **fields}, {**base.places, **places}, document, keys)


def _resolve(value: Any, entry: Entry, keys: Keys) -> Any:
    if isinstance(value, str):
        return _REFERENCE.sub(lambda match: _look_up(match[1], entry.place(keys)), value)
    if isinstance(value, dict):
        fields = cast("dict[str, Any]", value)
        return {key: _resolve(inner, entry, (*keys, key)) for key, inner in fields.items()}
    if isinstance(value, list):
        items = cast("list[Any]", value)
        return [_resolve(inner, entry, (*keys, position)) for position, inner in enumerate(items)]
    return value


def _look_up(name: str, place: str) -> str:
    found = config.environment(name)
    if found is None:
        raise ConfigError(
            f"{place} refers to ${{env:{name}}}, which is not set.", hint=f"Put {name}=... into .env."
        )
    return found


def is_reference(value: str) -> bool:
    """Whether all of a text is one `${env:NAME}`."""
    return _REFERENCE.fullmatch(value) is not None


def _documents() -> list[Document]:
    found = [
        _document("agentrun.yaml", "agentrun.yaml"),
        _document(os.path.expanduser("~/.agentrun/config.yaml"), "~/.agentrun/config.yaml"),
    ]
    platform = config.environment(PLATFORM)
    if platform is not None:
        found.append(_document(platform, "the platform's agentrun.yaml"))
    return [document for document in found if document is not None]


def _document(path: str, name: str) -> Document | None:
    try:
        state = os.stat(path)
    except OSError:
        return None
    key, mark = Path(path).absolute(), (state.st_mtime_ns, state.st_size)
    known = _read.get(key)
    if known is not None and known[0] == mark:
        return known[1]
    try:
        document = Document.read(Path(path), name)
    except YamlError as error:
        raise ConfigError(f"{name}:{error.line}: {error}.") from None
    _check_sections(document)
    _read[key] = (mark, document)
    return document


def _check_sections(document: Document) -> None:
    for key in _mapping_at(document, ()):
        if key not in SECTIONS:
            near = get_close_matches(key, SECTIONS, 1)
            hint = f"Did you mean {near[0]}?" if near else f"There are: {', '.join(SECTIONS)}."
            raise ConfigError(f"{document.where((key,))}: there is no section {key}.", hint=hint)


def _mapping_at(document: Document, keys: Keys) -> dict[str, Any]:
    found = _at(document, keys)
    if found is None:
        return {}
    if not isinstance(found, dict):
        shown = ".".join(str(key) for key in keys) or "the file"
        raise ConfigError(f"{document.where(keys)}: {shown} has to be a mapping of names.")
    return cast("dict[str, Any]", found)


def _at(document: Document, keys: Keys) -> Any:
    found: Any = document.data
    for key in keys:
        if not isinstance(found, dict):
            return None
        found = cast("dict[Any, Any]", found).get(key)
    return found
