"""Frameworks in: `model`, `toolset` and `sandbox_toolset` for each, and an adapter from its stream to events.

A framework is imported when it is used: `from agentrun.integration.langchain import model`.
"""

from __future__ import annotations

from importlib.metadata import entry_points
from types import BuiltinFunctionType, FunctionType, MethodType

from agentrun.agent import Callback
from agentrun.utils.lazy import load

# The package a class comes from -> what makes a callback of its objects, or None where it is none of its agents.
_ADAPTERS = {
    "langgraph": "agentrun.integration.langgraph:adapt",
    "langchain": "agentrun.integration.langchain:adapt",
    "langchain_core": "agentrun.integration.langchain:adapt",
    "agents": "agentrun.integration.openai_agents:adapt",
    "pydantic_ai": "agentrun.integration.pydantic_ai:adapt",
    "google.adk": "agentrun.integration.google_adk:adapt",
    "crewai": "agentrun.integration.crewai:adapt",
    "agentscope": "agentrun.integration.agentscope:adapt",
}
_GROUP = "agentrun.integrations"
_PLAIN = (FunctionType, MethodType, BuiltinFunctionType)


def adapt(agent: object) -> Callback | None:
    """A callback that runs a framework's agent, or None for what is no object of a known framework."""
    if isinstance(agent, _PLAIN):
        return None
    packages = [".".join(kind.__module__.split(".")[:2]) for kind in type(agent).__mro__]
    for package in packages:
        for name in (package, package.partition(".")[0]):
            if name in _ADAPTERS and (callback := load(_ADAPTERS[name])(agent)) is not None:
                return callback
    return _from_entry_points(agent, packages)


def _from_entry_points(agent: object, packages: list[str]) -> Callback | None:
    """Other packages add integrations under the name of the package whose objects they adapt."""
    for found in entry_points(group=_GROUP):
        if any(found.name in (package, package.partition(".")[0]) for package in packages):
            callback = found.load()(agent)
            if callback is not None:
                return callback
    return None
