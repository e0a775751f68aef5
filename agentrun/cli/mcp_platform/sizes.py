"""A service's configuration in CloudBase's words, and what it comes to on this platform. Pure."""

from __future__ import annotations

import re
from typing import Any

import msgspec

from agentrun.cli.mcp_platform.arguments import CLOUD_ONLY, ServerConfig
from agentrun.errors import RequestError
from agentrun.resources import Definition, Limits, RuntimeInfo, Scale

ACCESS, KIND = "openAccessTypes", "serverType"
_SECRET = re.compile(r"(?i)(key|token|secret|passw(or)?d|pwd|credential)s?(_|$)")


def applied(definition: Definition, config: ServerConfig) -> Definition:
    """The definition with what the configuration says; a RequestError where the two do not go together."""
    changed = msgspec.structs.replace(
        definition,
        port=config.port or definition.port,
        limits=_limits(definition.limits, config),
        scale=_scale(definition.scale, config),
    )
    if config.session_affinity is not None:
        sessions = msgspec.structs.replace(changed.sessions, affinity=config.session_affinity)
        changed = msgspec.structs.replace(changed, sessions=sessions)
    if config.initial_delay_seconds is not None:
        health = msgspec.structs.replace(changed.health, initial_delay_s=config.initial_delay_seconds)
        changed = msgspec.structs.replace(changed, health=health)
    if config.open_access_types is not None:
        types = config.open_access_types
        labels = {**changed.labels, ACCESS: ",".join(types)}
        changed = msgspec.structs.replace(changed, labels=labels, internal="PUBLIC" not in types)
    return changed


def _limits(before: Limits, config: ServerConfig) -> Limits:
    """One of the two says both, for memory is always twice the cores."""
    if config.cpu is not None:
        return Limits(config.cpu, round(config.cpu * 2048))
    if config.mem is not None:
        return Limits(config.mem / 2, round(config.mem * 1024))
    return before


def _scale(before: Scale, config: ServerConfig) -> Scale:
    fewest = before.min if config.min_num is None else config.min_num
    most = before.max if config.max_num is None else config.max_num
    if fewest > most:
        raise RequestError(
            f"serverConfig: MinNum would be {fewest} and MaxNum {most}; MinNum may not be more.",
            hint="Say both.",
            param="serverConfig.MinNum",
        )
    targets = {
        kind: policy.policy_threshold / 100
        for policy in config.policy_details or ()
        for kind in policy.policy_type.split("/")
    }
    return msgspec.structs.replace(
        before,
        min=fewest,
        max=most,
        cpu_target=targets.get("cpu", before.cpu_target),
        memory_target=targets.get("mem", before.memory_target),
    )


def secret_names(variables: dict[str, str]) -> tuple[str, ...]:
    """The variables whose names say that nobody should be shown their values."""
    return tuple(name for name in variables if _SECRET.search(name))


def warnings_of(config: ServerConfig) -> list[str]:
    """What is taken and does nothing here."""
    return [
        f"serverConfig.{ServerConfig.model_fields[name].alias} is of the cloud and does nothing here."
        for name in CLOUD_ONLY
        if name in config.model_fields_set
    ]


def shown(definition: Definition, variables: dict[str, str]) -> dict[str, Any]:
    """A definition as CloudBase's `ServerConfig`."""
    scale, limits = definition.scale, definition.limits
    return {
        "OpenAccessTypes": access_types(definition),
        "Cpu": limits.cpu,
        "Mem": limits.memory_mb / 1024,
        "MinNum": scale.min,
        "MaxNum": scale.max,
        "PolicyDetails": [
            {"PolicyType": "cpu", "PolicyThreshold": round(scale.cpu_target * 100)},
            {"PolicyType": "mem", "PolicyThreshold": round(scale.memory_target * 100)},
        ],
        "Port": definition.port,
        "EnvParams": variables,
        "Secrets": [ref.name for ref in definition.secrets],
        "InitialDelaySeconds": definition.health.initial_delay_s,
        "SessionAffinity": definition.sessions.affinity,
        "EntryPoint": list(definition.command),
    }


def access_types(of: Definition | RuntimeInfo) -> list[str]:
    """Which callers a service is open to."""
    noted = of.labels.get(ACCESS)
    return noted.split(",") if noted else ["VPC" if of.internal else "PUBLIC"]
