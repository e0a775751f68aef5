"""What the store and the fleet say, as answers."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timezone

from agentrun.errors import NotFound
from agentrun.platform import rollout, traffic
from agentrun.platform.core import Core
from agentrun.resources import (
    Condition,
    Definition,
    Endpoint,
    EndpointInfo,
    Instance,
    InstanceInfo,
    Release,
    Rollout,
    RoutingConfig,
    RuntimeInfo,
    Share,
    Size,
    Timestamps,
    Version,
    VersionInfo,
    show_version,
)

_MASKED = "***"


def iso(at: float) -> str:
    """2026-01-01T00:00:00.000000Z"""
    return datetime.fromtimestamp(at, timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def runtime_info(core: Core, name: str) -> RuntimeInfo:
    """A runtime, of the core's latest snapshot."""
    runtime = core.snapshot.runtimes.get(name)
    if runtime is None:
        raise NotFound(f'There is no runtime "{name}".')
    latest = max(
        (version for version in core.snapshot.versions if version.runtime == name),
        key=lambda version: version.number,
    )
    definition, instances = latest.definition, core.fleet.list(name)
    conditions = core.conditions(latest)
    variables = shown_variables(definition)
    return RuntimeInfo(
        id=runtime.id,
        arn=arn(name),
        name=name,
        version=str(latest.number),
        description=runtime.description,
        artifact_type="Code" if definition.package else "Command",
        status=_status(conditions),
        resources=Size(
            definition.limits.cpu, definition.limits.memory_mb, definition.port, _enforced_by(instances)
        ),
        environment_variables=variables | {ref.name: _MASKED for ref in definition.secrets},
        timestamps=Timestamps(iso(runtime.created_at), iso(runtime.updated_at)),
        region=runtime.region or "local",
        url=f"{core.places.url()}/agent-runtimes/{name}/invocations",
        endpoints=tuple(endpoint_info(core, endpoint) for endpoint in endpoints_of(core, name)),
        instances=len(instances),
        bot_id=definition.bot_id,
        conditions=tuple(conditions),
        internal=definition.internal,
        labels=definition.labels,
    )


def shown_variables(definition: Definition) -> dict[str, str]:
    """A version's variables, without the values that nobody is shown."""
    return {
        key: _MASKED if key in definition.masked else value for key, value in definition.variables.items()
    }


def endpoints_of(core: Core, runtime: str) -> list[Endpoint]:
    """The owner first."""
    found = [endpoint for endpoint in core.snapshot.endpoints if endpoint.runtime == runtime]
    owner = traffic.owner_of(found)
    return sorted(found, key=lambda endpoint: (endpoint is not owner, endpoint.name))


def endpoint_info(core: Core, endpoint: Endpoint) -> EndpointInfo:
    """An endpoint and how its address shares its traffic."""
    route = core.routes.find(endpoint.runtime, endpoint.name)
    shares = route.shares if route else ()
    return EndpointInfo(
        id=endpoint.id,
        arn=f"{arn(endpoint.runtime)}/endpoints/{endpoint.name}",
        name=endpoint.name,
        url=f"{core.places.url()}/agent-runtimes/{endpoint.runtime}/endpoints/{endpoint.name}/invocations",
        target_version=show_version(endpoint.version),
        traffic=_shown(shares),
        status="READY" if shares else "CREATING",
        description=endpoint.description,
        routing_config=RoutingConfig(
            tuple(Share(str(share.version), round(share.weight, 6)) for share in shares)
        ),
        weight=endpoint.weight,
    )


def version_info(core: Core, version: Version) -> VersionInfo:
    """A version and its part of the runtime's traffic."""
    route = core.routes.of_runtime(version.runtime)
    share = next((each for each in route.shares if each.version == version.number), None) if route else None
    figures = core.fleet.figures(version.id)
    return VersionInfo(
        version=str(version.number),
        description=version.description,
        last_updated_at=iso(version.published_at or version.created_at),
        arn=f"{arn(version.runtime)}/versions/{version.number}",
        published=version.published_at is not None,
        url=f"{core.places.url()}/agent-runtimes/{version.runtime}/versions/{version.number}/invocations",
        traffic=f"{share.weight:.0%}" if share else "0%",
        requests=figures.requests,
        errors=figures.errors,
        p50_ms=figures.p50_ms,
        p95_ms=figures.p95_ms,
    )


def instance_info(instance: Instance) -> InstanceInfo:
    return InstanceInfo(
        instance_id=instance.id,
        version=str(instance.version),
        status=instance.state,
        created_at=iso(instance.created_at),
        in_flight=instance.in_flight,
        pid=instance.pid,
        enforced_by=instance.enforced_by,
        reason=instance.reason,
        cpu=round(instance.cpu, 3),
        memory=round(instance.memory, 3),
        start_ms=round((instance.ready_at - instance.created_at) * 1000, 1) if instance.ready_at else None,
    )


def release(core: Core, found: Rollout) -> Release:
    """A gray release, how the new version answers, and what comes next."""
    figures = core.fleet.figures(f"{found.runtime}@{found.new}")
    after = {"deployed": "test", "testing": "percent", "gray": "percent or finalize"}
    if found.state == "gray" and found.percent >= 100:
        after["gray"] = "finalize"
    return Release(
        found,
        figures.requests,
        figures.errors,
        figures.p95_ms,
        after[found.state] if rollout.is_running(found) else "",
    )


def arn(runtime: str) -> str:
    """A name in the form that tools of a cloud expect."""
    return f"acs:agentrun:local:0:runtimes/{runtime}"


def _status(conditions: Sequence[Condition]) -> str:
    return "FAILED" if any(not condition.ok for condition in conditions) else "READY"


def _enforced_by(instances: Sequence[Instance]) -> str:
    return ", ".join(sorted({instance.enforced_by for instance in instances if instance.enforced_by}))


def _shown(shares: tuple[traffic.Share, ...]) -> str:
    """`80% → 2, 20% → 1`"""
    ordered = sorted(shares, key=lambda share: -share.weight)
    return ", ".join(f"{round(share.weight * 100, 4):g}% → {share.version}" for share in ordered)
