"""From a name to a Toolset: arguments, the environment, the project's files, the user's."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from difflib import get_close_matches
from typing import Any

import msgspec
from pydantic import ValidationError

from agentrun import config, project
from agentrun.errors import ConfigError
from agentrun.tools import functions
from agentrun.tools.spec import ToolsetSpec
from agentrun.tools.tool import Tool, Toolset
from agentrun.utils.config import Config

SECTION = "tools"
_VARIABLE = "AGENTRUN_TOOLS_"


def toolset(
    name: str | Toolset,
    *,
    prefix: str | None = None,
    filter_tools_by_name: Callable[[str], bool] | None = None,
    modify_tool_name: Callable[[Tool], Tool] | None = None,
    config: Config | None = None,
    **arguments: Any,
) -> Toolset:
    """The toolset of this name. Further arguments are the keys of one in `agentrun.yaml`, and win over it."""
    arguments = {**(config.arguments() if config else {}), **arguments}
    found = name if isinstance(name, Toolset) else _built(name, arguments)
    tools = [tool for tool in found if filter_tools_by_name is None or filter_tools_by_name(tool.name)]
    if modify_tool_name is not None:
        tools = [modify_tool_name(tool) for tool in tools]
    if prefix:
        tools = [msgspec.structs.replace(tool, name=prefix + tool.name) for tool in tools]
    return Toolset(found.name, tools, found.source)


def knowledge(names: str | Sequence[str], **options: Any) -> Toolset:
    """The toolsets of these names as one, as the original's knowledge bases are asked for."""
    known = [names] if isinstance(names, str) else list(names)
    found = [toolset(name, **options) for name in known]
    return Toolset(", ".join(known), [tool for each in found for tool in each])


def names() -> dict[str, str]:
    """Every name that is configured, and where."""
    known = {name: entry.where for name, entry in project.section(SECTION).items()}
    for variable in config.environment_names():
        if variable.startswith(_VARIABLE):
            known[variable.removeprefix(_VARIABLE).lower().replace("_", "-")] = f"environment {variable}"
    return known


def _built(name: str, arguments: dict[str, Any]) -> Toolset:
    spec, where = _spec(name, arguments)
    return Toolset(name, _tools(spec, name, where), where)


def _tools(spec: ToolsetSpec, name: str, where: str) -> list[Tool]:
    # each brings a good deal along that the others do without
    if spec.mcp is not None:
        from agentrun.tools import mcp

        return mcp.tools_of(spec, where)
    if spec.openapi is not None:
        from agentrun.tools import openapi

        return openapi.tools_of(spec, where)
    if spec.folder is not None:
        from agentrun.tools import folder

        return folder.tools_of(spec, name, where)
    tools = functions.tools_of(spec.functions or [], where)
    return [tool for tool in tools if spec.only is None or tool.name in spec.only]


def _spec(name: str, arguments: dict[str, Any]) -> tuple[ToolsetSpec, str]:
    variable = _VARIABLE + "".join(c if c.isalnum() else "_" for c in name).upper()
    text = config.environment(variable)
    entry = project.section(SECTION).get(name)
    if text is not None:
        written, where = _decoded(variable, text), f"environment {variable}"
    elif entry is not None and not arguments:
        return project.check(entry, name, ToolsetSpec), entry.where
    elif entry is not None:
        known = project.check(entry, name, ToolsetSpec)
        written, where = known.model_dump(exclude_unset=True), entry.where
    elif arguments:
        written, where = {}, "the arguments"
    else:
        raise _unknown(name)
    try:
        return ToolsetSpec.model_validate({**written, **arguments}), where
    except ValidationError as error:
        raise project.explain(error, name, ToolsetSpec, None) from None


def _decoded(variable: str, text: str) -> dict[str, Any]:
    """JSON, or the address of an MCP server."""
    if not text.startswith("{"):
        return {"mcp": text}
    try:
        return msgspec.json.decode(text, type=dict[str, Any])
    except msgspec.DecodeError as error:
        raise ConfigError(f"{variable} is no JSON: {error}.") from None


def _unknown(name: str) -> ConfigError:
    known = names()
    near = get_close_matches(name, known, 1)
    meant = f"Did you mean {near[0]}? " if near else ""
    return ConfigError(
        f'There is no toolset "{name}"; there are: {", ".join(sorted(known)) or "none is configured"}.',
        hint=f"{meant}Add to agentrun.yaml:\ntools:\n  {name}:\n    mcp: http://127.0.0.1:8000/mcp",
    )
