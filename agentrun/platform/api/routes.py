"""Every route of the control API: its method, its path, who may use it, and what answers."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, NamedTuple, TypeAlias

import msgspec

from agentrun.errors import NotFound, RequestError
from agentrun.platform.actions import access, addresses, releases, runtimes, view
from agentrun.platform.actions.deploy import build, deploy
from agentrun.platform.api import bodies, lines
from agentrun.platform.api.ask import Ask
from agentrun.platform.api.progress import Progress, progress
from agentrun.platform.builds import Package
from agentrun.platform.core import Core
from agentrun.platform.guard import Owner
from agentrun.platform.logs.logs import Logs
from agentrun.resources import Deployment, EndpointWish, Scope, Status


class Control(NamedTuple):
    """What the routes act on."""

    core: Core
    logs: Logs
    status: Callable[[], Status]
    stop: Callable[[bool], None]


Answer: TypeAlias = "Callable[[Control, Ask], Awaitable[Any]]"
Stream: TypeAlias = "Callable[[Control, Ask], AsyncIterator[Any]]"


class Route(NamedTuple):
    """One of them. `largest` is how many bytes it takes."""

    method: str
    path: str
    scope: Scope | Owner
    answer: Answer | None = None
    stream: Stream | None = None
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
    return {"version": latest.number, "package": shown.package, "definition": shown}


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


async def _release_step(control: Control, ask: Ask) -> Any:
    core, runtime = control.core, ask.path["runtime"]
    match ask.path["action"]:
        case "start":
            begin = ask.read(bodies.Start)
            return await releases.start(
                core,
                runtime,
                by=ask.by,
                version=begin.version,
                max_error_rate=begin.max_error_rate,
                max_latency_ms=begin.max_latency_ms,
            )
        case "test":
            return await releases.test(core, runtime, ask.read(bodies.Test), by=ask.by)
        case "percent":
            return await releases.percent(core, runtime, ask.read(bodies.Percent).percent, by=ask.by)
        case "finalize":
            return await releases.finalize(core, runtime, by=ask.by)
        case "rollback":
            return await releases.roll_back(core, runtime, by=ask.by, why=ask.read(bodies.Why).why)
        case other:
            raise NotFound(
                f"A release has no step {other!r}.", hint="start, test, percent, finalize, rollback"
            )


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

ROUTES = (
    Route("GET", "/v1/status", "read", _status),
    Route("POST", "/v1/stop", "owner", _stop),
    Route("GET", "/v1/audits", "read", _audits),
    Route("HEAD", _PACKAGE, "deploy", _has_package, shared=True),
    Route("PUT", _PACKAGE, "deploy", _put_package, largest=600_000_000, shared=True),
    Route("GET", _PACKAGE, "deploy", _get_package),
    Route("POST", "/v1/builds", "deploy", stream=_build, shared=True),
    Route("POST", _RUNTIME + "/deployments", "deploy", stream=_deploy),
    Route("GET", "/v1/runtimes", "read", _runtimes),
    Route("GET", _RUNTIME, "read", _info),
    Route("GET", _RUNTIME + "/deployed", "deploy", _deployed),
    Route("DELETE", _RUNTIME, "deploy", _remove),
    Route("GET", _RUNTIME + "/versions", "read", _versions),
    Route("POST", _RUNTIME + "/versions", "deploy", _publish_version),
    Route("GET", _RUNTIME + "/endpoints", "read", _endpoints),
    Route("GET", _ENDPOINT, "read", _endpoint),
    Route("PUT", _ENDPOINT, "deploy", _publish),
    Route("DELETE", _ENDPOINT, "deploy", _remove_endpoint),
    Route("GET", _RUNTIME + "/instances", "read", _instances),
    Route("GET", _CONCURRENCY, "read", _concurrency),
    Route("PUT", _CONCURRENCY, "deploy", _reserve),
    Route("DELETE", _CONCURRENCY, "deploy", _unreserve),
    Route("GET", _RUNTIME + "/release", "read", _release),
    Route("POST", _RUNTIME + "/release/{action}", "deploy", _release_step),
    Route("GET", _RUNTIME + "/logs", "read", stream=_logs),
    Route("GET", "/v1/secrets", "deploy", _secrets),
    Route("PUT", "/v1/secrets/{name}", "deploy", _set_secret),
    Route("DELETE", "/v1/secrets/{name}", "deploy", _remove_secret),
    Route("GET", "/v1/keys", "owner", _keys),
    Route("POST", "/v1/keys", "owner", _make_key),
    Route("POST", "/v1/keys/{id}", "owner", _rotate_key),
    Route("DELETE", "/v1/keys/{id}", "owner", _remove_key),
)
