"""From a name to a Template: arguments, the environment, the project's files, the user's, built-ins."""

from __future__ import annotations

from collections.abc import Mapping
from difflib import get_close_matches
from typing import Any

import msgspec
from pydantic import ValidationError

from agentrun import config, project
from agentrun.errors import ConfigError
from agentrun.sandbox.template import BUILTIN, Template

SECTION = "sandboxes"
_VARIABLE = "AGENTRUN_SANDBOX_"
_MOST_CHANGES = 100
_changes: dict[tuple[int, bytes], tuple[Template, Template]] = {}


def resolve(template: str | Template, changes: Mapping[str, Any]) -> tuple[str, Template]:
    """The name and the template; `changes` are keys of it that win over what is written."""
    if isinstance(template, Template):
        name, found = "(given)", template
    else:
        name, found = template, _named(template)
    return name, _changed(found, changes, name) if changes else found


def names() -> dict[str, str]:
    """Every name there is, and where it is written."""
    known = dict.fromkeys(BUILTIN, "built in")
    known |= {name: entry.where for name, entry in project.section(SECTION).items()}
    for variable in config.environment_names():
        if variable.startswith(_VARIABLE):
            known[variable.removeprefix(_VARIABLE).lower().replace("_", "-")] = f"environment {variable}"
    return known


def validate(written: Mapping[str, Any], name: str) -> Template:
    """A template from its keys; a ConfigError says what is wrong."""
    try:
        return Template.model_validate(written)
    except ValidationError as error:
        raise project.explain(error, name, Template, None) from None


def _changed(template: Template, changes: Mapping[str, Any], name: str) -> Template:
    """The template with these keys. One that was asked for before is the same again, for somebody waits."""
    try:
        key = (id(template), msgspec.json.encode(changes))
    except TypeError:  # something in it is a value of Python's own
        key = None
    known = None if key is None else _changes.get(key)
    if known is not None:
        return known[1]
    found = validate({**template.model_dump(exclude_unset=True), **changes}, name)
    if key is not None:
        if len(_changes) >= _MOST_CHANGES:
            _changes.clear()
        _changes[key] = (template, found)  # the template too, so that no other one gets its id
    return found


def _named(name: str) -> Template:
    variable = _VARIABLE + "".join(c if c.isalnum() else "_" for c in name).upper()
    text = config.environment(variable)
    if text is not None:
        try:
            return validate(msgspec.json.decode(text, type=dict[str, Any]), variable)
        except msgspec.DecodeError as error:
            raise ConfigError(f"{variable} is no JSON object: {error}.") from None
    entry = project.section(SECTION).get(name)
    if entry is not None:
        return project.check(entry, name, Template)
    if name in BUILTIN:
        return BUILTIN[name]
    raise _unknown(name)


def _unknown(name: str) -> ConfigError:
    known = names()
    near = get_close_matches(name, known, 1)
    meant = f"Did you mean {near[0]}? " if near else ""
    return ConfigError(
        f'There is no sandbox template "{name}"; there are: {", ".join(sorted(known))}.',
        hint=f"{meant}Add to agentrun.yaml:\nsandboxes:\n  {name}:\n    packages: [numpy]",
    )
