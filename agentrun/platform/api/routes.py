"""Every route of the control API: its method, its path, who may use it, and what answers."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, NamedTuple, TypeAlias

import msgspec

from agentrun.errors import NotFound, RequestError
from agentrun.platform.actions import access, addresses, deploy_logs, releases, runtimes, view
from agentrun.platform.actions.deploy import build, deploy
from agentrun.platform.api import bodies, lines
from agentrun.platform.api.ask import Ask
from agentrun.platform.api.progress import Progress, progress
from agentrun.platform.builds import Package
from agentrun.platform.core import Core
from agentrun.platform.guard import Owner
from agentrun.platform.logs.logs import Logs
from agentrun.platform.store import Audit
from agentrun.resources import (
    Concurrency,
    DeployLog,
    Deployment,
    EndpointInfo,
    EndpointWish,
    InstanceInfo,
    Key,
    LatestDeployed,
    LogLine,
    NewKey,
    Published,
    Release,
    RuntimeInfo,
    Scope,
    SecretInfo,
    Status,
    VersionInfo,
)


class Control(NamedTuple):
    """What the routes act on."""

    core: Core
    logs: Logs
    status: Callable[[], Status]
    stop: Callable[[bool], None]


Answer: TypeAlias = "Callable[[Control, Ask], Awaitable[Any]]"
Stream: TypeAlias = "Callable[[Control, Ask], AsyncIterator[Any]]"


class Route(NamedTuple):
    """One of them. `takes` and `gives` are the types of its bodies, a stream's of one line; `largest` is in bytes."""

    method: str
    path: str
    scope: Scope | Owner
    answer: Answer | None = None
    stream: Stream | None = None
    takes: Any = None
    gives: Any = None
    query: tuple[str, ...] = ()
    largest: int = 1_000_000
    shared: bool = False  # of no runtime in particular, and harmless to those that a key is not for


async def _status(control: Control, ask: Ask) -> Any:
    return control.status()


async def _stop(control: Control, ask: Ask) -> Any:
    control.stop(ask.flag("instances"))


async def _audits(control: Control, ask: Ask) -> Any:
    return await control.core.records(lambda records: records.audits(ask.limit(100)))


async def _has_package(control: Control, ask: Ask) -> Any:
    if not control.core.packages.has(ask.path["digest"]):
        raise NotFound(f"There is no package {ask.path['digest']}.")


async def _put_package(control: Control, ask: Ask) -> Any:
    control.core.packages.put(Package.decode(ask.body), ask.path["digest"])


async def _get_package(control: Control, ask: Ask) -> Any:
    return control.core.packages.get(ask.path["digest"]).encode()


def _build(control: Control, ask: Ask) -> AsyncIterator[Progress]:
    wish = ask.read(bodies.Build)
    return progress(lambda say: build(control.core, wish.package, wish.language, say))


def _deploy(control: Control, ask: Ask) -> AsyncIterator[Progress]:
    wish = ask.read(Deployment)
    if wish.runtime != ask.path["runtime"]:
        raise RequestError(f"This is the address of {ask.path['runtime']}.", param="runtime")
    return progress(lambda say: deploy(control.core, wish, by=ask.by, say=say))


async def _deploy_logs(control: Control, ask: Ask) -> Any:
    return await deploy_logs.of_runtime(control.core, ask.path["runtime"], ask.limit(20))


async def _runtimes(control: Control, ask: Ask) -> Any:
    return [view.runtime_info(control.core, name) for name in control.core.snapshot.runtimes]


async def _info(control: Control, ask: Ask) -> Any:
    return view.runtime_info(control.core, ask.path["runtime"])


async def _deployed(control: Control, ask: Ask) -> Any:
    """What the newest version is made of, so that its code can be had again, and its configuration changed."""
    name = ask.path["runtime"]
    await _info(control, ask)
    latest = await control.core.records(lambda records: records.latest(name))
    if latest is None:
        return None
    shown = msgspec.structs.replace(latest.definition, variables=view.shown_variables(latest.definition))
    return LatestDeployed(latest.number, shown.package, shown)


async def _remove(control: Control, ask: Ask) -> Any:
    await runtimes.remove(control.core, ask.path["runtime"], by=ask.by)


async def _versions(control: Control, ask: Ask) -> Any:
    return runtimes.versions(control.core, ask.path["runtime"])


async def _publish_version(control: Control, ask: Ask) -> Any:
    label = ask.read(bodies.Label)
    return await runtimes.publish_version(control.core, ask.path["runtime"], label.description, by=ask.by)


async def _endpoints(control: Control, ask: Ask) -> Any:
    return view.runtime_info(control.core, ask.path["runtime"]).endpoints


async def _endpoint(control: Control, ask: Ask) -> Any:
    return addresses.get(control.core, ask.path["runtime"], ask.path["endpoint"])


async def _publish(control: Control, ask: Ask) -> Any:
    said = ask.read(bodies.Publish)
    wish = EndpointWish(ask.path["endpoint"], said.version, said.weight, said.canary, said.description)
    return await addresses.published(control.core, ask.path["runtime"], wish, by=ask.by)


async def _remove_endpoint(control: Control, ask: Ask) -> Any:
    await addresses.remove(control.core, ask.path["runtime"], ask.path["endpoint"], by=ask.by)


async def _instances(control: Control, ask: Ask) -> Any:
    return [view.instance_info(instance) for instance in control.core.fleet.list(ask.path["runtime"])]


async def _concurrency(control: Control, ask: Ask) -> Any:
    return runtimes.concurrency(control.core, ask.path["runtime"])


async def _reserve(control: Control, ask: Ask) -> Any:
    reserved = ask.read(bodies.Reserve).reserved
    return await runtimes.reserve(control.core, ask.path["runtime"], reserved, by=ask.by)


async def _unreserve(control: Control, ask: Ask) -> Any:
    return await runtimes.reserve(control.core, ask.path["runtime"], None, by=ask.by)


async def _release(control: Control, ask: Ask) -> Any:
    return await releases.status(control.core, ask.path["runtime"])


async def _release_start(control: Control, ask: Ask) -> Any:
    begin = ask.read(bodies.Start)
    return await releases.start(
        control.core,
        ask.path["runtime"],
        by=ask.by,
        version=begin.version,
        max_error_rate=begin.max_error_rate,
        max_latency_ms=begin.max_latency_ms,
    )


async def _release_test(control: Control, ask: Ask) -> Any:
    return await releases.test(control.core, ask.path["runtime"], ask.read(bodies.Test), by=ask.by)


async def _release_percent(control: Control, ask: Ask) -> Any:
    percent = ask.read(bodies.Percent).percent
    return await releases.percent(control.core, ask.path["runtime"], percent, by=ask.by)


async def _release_finalize(control: Control, ask: Ask) -> Any:
    return await releases.finalize(control.core, ask.path["runtime"], by=ask.by)


async def _release_rollback(control: Control, ask: Ask) -> Any:
    why = ask.read(bodies.Why).why
    return await releases.roll_back(control.core, ask.path["runtime"], by=ask.by, why=why)


def _logs(control: Control, ask: Ask) -> AsyncIterator[Any]:
    view.runtime_info(control.core, ask.path["runtime"])
    return lines.read(control.logs, ask.path["runtime"], lines.query_of(ask), follow=ask.flag("follow"))


async def _secrets(control: Control, ask: Ask) -> Any:
    return await access.secrets(control.core)


async def _set_secret(control: Control, ask: Ask) -> Any:
    return await access.set_secret(control.core, ask.path["name"], ask.read(bodies.Value).value, by=ask.by)


async def _remove_secret(control: Control, ask: Ask) -> Any:
    await access.remove_secret(control.core, ask.path["name"], by=ask.by)


async def _keys(control: Control, ask: Ask) -> Any:
    return await access.keys(control.core)


async def _make_key(control: Control, ask: Ask) -> Any:
    wish = ask.read(bodies.MakeKey)
    return await access.make_key(
        control.core,
        wish.name,
        wish.scopes,
        by=ask.by,
        runtimes=wish.runtimes,
        per_minute=wish.per_minute,
        trusted=wish.trusted,
    )


async def _rotate_key(control: Control, ask: Ask) -> Any:
    return await access.rotate_key(control.core, ask.path["id"], by=ask.by)


async def _remove_key(control: Control, ask: Ask) -> Any:
    await access.remove_key(control.core, ask.path["id"], by=ask.by)


_PACKAGE = "/v1/packages/{digest}"
_RUNTIME = "/v1/runtimes/{runtime}"
_ENDPOINT = _RUNTIME + "/endpoints/{endpoint}"
_CONCURRENCY = _RUNTIME + "/concurrency"
_RELEASE = _RUNTIME + "/release"
_LOGS = ("since", "until", "request", "instance", "search", "type", "kind", "limit", "follow")

ROUTES = (
    Route("GET", "/v1/status", "read", _status, gives=Status),
    Route("POST", "/v1/stop", "owner", _stop, query=("instances",)),
    Route("GET", "/v1/audits", "read", _audits, query=("limit",), gives=list[Audit]),
    Route("HEAD", _PACKAGE, "deploy", _has_package, shared=True),
    Route("PUT", _PACKAGE, "deploy", _put_package, takes=bytes, largest=600_000_000, shared=True),
    Route("GET", _PACKAGE, "deploy", _get_package, gives=bytes),
    Route("POST", "/v1/builds", "deploy", stream=_build, takes=bodies.Build, gives=Progress, shared=True),
    Route("POST", _RUNTIME + "/deployments", "deploy", stream=_deploy, takes=Deployment, gives=Progress),
    Route("GET", _RUNTIME + "/deployments", "read", _deploy_logs, query=("limit",), gives=list[DeployLog]),
    Route("GET", "/v1/runtimes", "read", _runtimes, gives=list[RuntimeInfo]),
    Route("GET", _RUNTIME, "read", _info, gives=RuntimeInfo),
    Route("GET", _RUNTIME + "/deployed", "deploy", _deployed, gives=LatestDeployed),
    Route("DELETE", _RUNTIME, "deploy", _remove),
    Route("GET", _RUNTIME + "/versions", "read", _versions, gives=list[VersionInfo]),
    Route("POST", _RUNTIME + "/versions", "deploy", _publish_version, takes=bodies.Label, gives=VersionInfo),
    Route("GET", _RUNTIME + "/endpoints", "read", _endpoints, gives=list[EndpointInfo]),
    Route("GET", _ENDPOINT, "read", _endpoint, gives=EndpointInfo),
    Route("PUT", _ENDPOINT, "deploy", _publish, takes=bodies.Publish, gives=Published),
    Route("DELETE", _ENDPOINT, "deploy", _remove_endpoint),
    Route("GET", _RUNTIME + "/instances", "read", _instances, gives=list[InstanceInfo]),
    Route("GET", _CONCURRENCY, "read", _concurrency, gives=Concurrency),
    Route("PUT", _CONCURRENCY, "deploy", _reserve, takes=bodies.Reserve, gives=Concurrency),
    Route("DELETE", _CONCURRENCY, "deploy", _unreserve, gives=Concurrency),
    Route("GET", _RELEASE, "read", _release, gives=Release),
    Route("POST", _RELEASE + "/start", "deploy", _release_start, takes=bodies.Start, gives=Release),
    Route("POST", _RELEASE + "/test", "deploy", _release_test, takes=bodies.Test, gives=Release),
    Route("POST", _RELEASE + "/percent", "deploy", _release_percent, takes=bodies.Percent, gives=Release),
    Route("POST", _RELEASE + "/finalize", "deploy", _release_finalize, gives=Release),
    Route("POST", _RELEASE + "/rollback", "deploy", _release_rollback, takes=bodies.Why, gives=Release),
    Route("GET", _RUNTIME + "/logs", "read", stream=_logs, query=_LOGS, gives=LogLine),
    Route("GET", "/v1/secrets", "deploy", _secrets, gives=list[SecretInfo]),
    Route("PUT", "/v1/secrets/{name}", "deploy", _set_secret, takes=bodies.Value, gives=SecretInfo),
    Route("DELETE", "/v1/secrets/{name}", "deploy", _remove_secret),
    Route("GET", "/v1/keys", "owner", _keys, gives=list[Key]),
    Route("POST", "/v1/keys", "owner", _make_key, takes=bodies.MakeKey, gives=NewKey),
    Route("POST", "/v1/keys/{id}", "owner", _rotate_key, gives=NewKey),
    Route("DELETE", "/v1/keys/{id}", "owner", _remove_key),
)
