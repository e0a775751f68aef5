"""s.yaml as a checked Project: every mistake is one error with file, line and what to do."""

from __future__ import annotations

from collections.abc import Callable
from difflib import get_close_matches
from pathlib import Path
from typing import Any, cast

import msgspec
from pydantic import ValidationError
from pydantic_core import ErrorDetails

from agentrun.errors import ConfigError
from agentrun.platform.spec.model import CLOUD_ONLY, Agent
from agentrun.platform.spec.references import References, document_of
from agentrun.utils.yaml import Document, Keys, YamlError

COMPONENT = "agentrun"
TOP = ("edition", "name", "access", "vars", "resources")
_ALSO_KNOWN = ("template", "extend", "flow", "env", "actions")  # of the tool that s.yaml comes from


class Resource(msgspec.Struct, frozen=True):
    """One agent of a project, and where its fields stand."""

    name: str
    agent: Agent
    region: str
    document: Document
    keys: Keys
    written: frozenset[str]
    masked: tuple[str, ...]

    def where(self, *keys: str | int) -> str:
        """The file and line of a field."""
        return self.document.where((*self.keys, *keys))


class Project(msgspec.Struct, frozen=True):
    """What an s.yaml says."""

    name: str
    access: str | None
    folder: Path
    resources: tuple[Resource, ...]


def read(path: Path, look_up: Callable[[str], str | None]) -> Project:
    """The project of an s.yaml. `look_up` gives what a variable of the environment is."""
    document = _document(path)
    top = _mapping(document, document.data, ())
    _check_top(document, top)
    references = References(document, look_up)
    named = _mapping(document, top.get("resources"), ("resources",))
    if not named:
        raise ConfigError(
            f"{document.where(('resources',))}: there are no resources.",
            hint="Put each agent under resources: with a name, component: agentrun and props.",
        )
    resources = tuple(_resource(document, references, str(name), named[name]) for name in named)
    _check_names(resources)
    access = references.resolve(top.get("access"), ("access",))
    name = str(references.resolve(top.get("name") or path.parent.name, ("name",)))
    return Project(name, str(access) if access else None, path.parent, resources)


def _document(path: Path) -> Document:
    try:
        return document_of(path.read_text(encoding="utf-8"), path.name)
    except FileNotFoundError:
        hint = "Name the file with -t, or start a project: agentrun init"
        raise ConfigError(f"There is no {path} here.", hint=hint) from None
    except YamlError as error:
        hint = "Indent with two spaces a level, never with tabs."
        raise ConfigError(f"{path.name}:{error.line}: {error}.", hint=hint) from None
    except UnicodeDecodeError:
        raise ConfigError(f"{path.name} is not UTF-8 text.") from None


def _check_top(document: Document, top: dict[str, Any]) -> None:
    for key in top:
        if key not in TOP and key not in _ALSO_KNOWN:
            near = get_close_matches(str(key), TOP, 1)
            hint = f"Did you mean {near[0]}?" if near else f"There are: {', '.join(TOP)}."
            raise ConfigError(
                f"{document.where((key,))}: there is no {key} at the top of the file.", hint=hint
            )


def _check_names(resources: tuple[Resource, ...]) -> None:
    seen: dict[str, Resource] = {}
    for resource in resources:
        other = seen.setdefault(resource.agent.name, resource)
        if other is not resource:
            raise ConfigError(
                f'{resource.where("name")}: "{resource.agent.name}" is the name of {other.name} as well.',
                hint="Give each agent a name of its own.",
            )


def _resource(document: Document, references: References, name: str, value: object) -> Resource:
    base: Keys = ("resources", name)
    fields = _mapping(document, value, base)
    component = str(fields.get("component") or "").partition("@")[0]
    if component != COMPONENT:
        raise ConfigError(
            f"{document.where((*base, 'component'))}: the component of {name} is {component or 'not said'}.",
            hint=f"Here it has to be component: {COMPONENT}.",
        )
    props = _mapping(document, fields.get("props"), (*base, "props"))
    keys: Keys = (*base, "props", "agent")
    if not props.get("agent"):
        raise ConfigError(
            f"{document.where((*base, 'props'))}: agent configuration is required.",
            hint="Put agent: under props:, two spaces further in.",
        )
    written = _mapping(document, props["agent"], keys)
    resolved = references.resolve(written, keys, skip=frozenset(CLOUD_ONLY))
    agent = _agent(document, keys, resolved)
    region = str(references.resolve(props.get("region") or "", (*base, "props", "region")))
    inside = (*keys, "environmentVariables")
    masked = sorted(str(key[-1]) for key in references.from_environment if key[:-1] == inside)
    return Resource(name, agent, region, document, keys, frozenset(written), tuple(masked))


def _agent(document: Document, keys: Keys, fields: dict[str, Any]) -> Agent:
    try:
        agent = Agent.model_validate(fields)
    except ValidationError as error:
        raise _explained(document, keys, error.errors()[0]) from None
    if (agent.code is None) == (agent.custom_container_config is None):
        said = "nothing says what runs" if agent.code is None else "two things say what runs"
        raise ConfigError(
            f"{document.where(keys)}: {said}.", hint="Give either code: or customContainerConfig:."
        )
    if agent.code is not None and (agent.code.src is None) == (agent.code.oss_bucket_name is None):
        raise ConfigError(
            f"{document.where((*keys, 'code'))}: code needs src, or ossBucketName with ossObjectName.",
            hint="Add src: ./code.",
        )
    return agent


def _explained(document: Document, base: Keys, error: ErrorDetails) -> ConfigError:
    keys: Keys = (*base, *error["loc"])
    place, shown = document.where(keys), ".".join(str(key) for key in error["loc"]) or "agent"
    match error["type"]:
        case "missing":
            return ConfigError(f"{place}: {shown} is required.", hint=f"Add {error['loc'][-1]}: here.")
        case "extra_forbidden":
            known = _known_at(error["loc"][:-1])
            near = get_close_matches(str(error["loc"][-1]), known, 1)
            hint = f"Did you mean {near[0]}?" if near else f"There are: {', '.join(known)}."
            return ConfigError(f"{place}: there is no {shown}.", hint=hint)
        case _:
            said = error["msg"].removeprefix("Value error, ")
            return ConfigError(f"{place}: {shown} is {error['input']!r}: {said[:1].lower()}{said[1:]}.")


def _known_at(path: tuple[str | int, ...]) -> list[str]:
    """The keys that may stand in a part of an agent."""
    model: Any = Agent
    for key in path:
        fields = getattr(model, "model_fields", {})
        annotations = [field.annotation for field in fields.values() if field.alias == key]
        model = _inner(annotations[0]) if annotations else model
    return [str(field.alias) for field in model.model_fields.values()]


def _inner(annotation: Any) -> Any:
    """The model inside of `X | None` or `list[X]`."""
    options = [option for option in getattr(annotation, "__args__", ()) if hasattr(option, "model_fields")]
    return options[0] if options else annotation


def _mapping(document: Document, value: object, keys: Keys) -> dict[str, Any]:
    if value is None:
        return {}
    if not isinstance(value, dict):
        shown = ".".join(str(key) for key in keys) or "the file"
        raise ConfigError(
            f"{document.where(keys)}: {shown} has to be a mapping of names.",
            hint="Each line is `name: value`; what belongs to a name is indented by two spaces.",
        )
    return cast("dict[str, Any]", value)
