"""`manageCloudRun`, what it does on the platform: deploy, change, share traffic, delete."""

from __future__ import annotations

import asyncio
from typing import Any

import msgspec

from agentrun.cli.mcp_platform import folders, programs, services, sizes
from agentrun.cli.mcp_platform.answers import Answer
from agentrun.cli.mcp_platform.arguments import ManageCloudRun, ServerConfig
from agentrun.cli.mcp_platform.programs import Program
from agentrun.cli.mcp_platform.services import named
from agentrun.cli.mcp_platform.session import Session
from agentrun.cli.tool_server import Say
from agentrun.client import AsyncClient
from agentrun.errors import ConfigError, Conflict, NotFound, RequestError
from agentrun.platform.builds import Package, pack
from agentrun.resources import Definition, Deployed, Deployment, HealthCheck, Hold, Release, Testers

_NEXT = {
    "test": "trafficOp test, with testers",
    "percent": "trafficOp set, with canaryPercent",
    "percent or finalize": "trafficOp set with a larger canaryPercent, or promote",
    "finalize": "trafficOp promote",
}


async def deploy(session: Session, asked: ManageCloudRun, say: Say) -> Answer:
    """The code of a folder as a new version; what runs goes on until it answers."""
    name = named(asked.server_name, "serverName")
    if asked.image_url is not None:
        raise ConfigError(
            "Images need a container engine, and this platform runs programs without one.",
            hint="Give targetPath: the folder of the program, with or without a Dockerfile.",
        )
    folder = folders.existing(session.root, asked.target_path)
    program = programs.find(session.root, folder, name, asked.server_config, asked.server_type)
    return await bring_out(session, program, asked, say)


async def bring_out(session: Session, program: Program, asked: ManageCloudRun, say: Say) -> Answer:
    """A program as a new version."""
    package = await asyncio.to_thread(pack, program.folder)
    async with session.platform() as platform:
        before = await _definition_before(platform, program.wish.runtime)
        wish = msgspec.structs.replace(
            _wished(program, before, asked.server_config),
            keep_variables=not asked.env_params_replace_all,
            hold=Hold() if asked.release_type == "GRAY" else None,
        )
        done = await _deployed(platform, wish, package, say)
        return _told(done, asked, program, before)


async def update_config(
    session: Session, asked: ManageCloudRun, say: Say, *, description: str | None = None
) -> Answer:
    """The same code with another configuration: a new version, for a version never changes."""
    name = named(asked.server_name, "serverName")
    config = asked.server_config
    items = [str(ServerConfig.model_fields[key].alias) for key in config.model_fields_set]
    async with session.platform() as platform:
        before = await services.definition_of(platform, name)
        base = msgspec.structs.replace(before, variables={}, masked=(), secrets=())
        command = (*(config.entry_point or ()), *(config.cmd or ()))
        base = msgspec.structs.replace(base, command=command or base.command)
        wish = Deployment(
            name,
            _configured(base, config),
            description=description if description is not None else (await platform.info(name)).description,
            secrets=_secrets(config, before, ()),
            keep_variables=not asked.env_params_replace_all,
        )
        done = await platform.deploy(wish, say)
        after = await services.definition_of(platform, name)
    data = {
        "serviceName": name,
        "status": "configUpdated" if done.created else "noop",
        "itemsCount": len(items),
        "itemsKeys": sorted(items),
        "verifiedConfig": sizes.shown(after, dict.fromkeys(after.variables, "***")),
        "warnings": sizes.warnings_of(config),
    }
    said = f"Version {done.version} of {name} has it." if done.created else "It is so already."
    return Answer(data, said)


async def delete(session: Session, asked: ManageCloudRun) -> Answer:
    """A service with its versions and instances."""
    name = named(asked.server_name, "serverName")
    return await remove(session, name, force=asked.force)


async def remove(session: Session, name: str, *, force: bool) -> Answer:
    """The same, if whoever asks is sure."""
    if not force:
        raise RequestError(
            f"{name} was not deleted: that cannot be undone.",
            hint="Ask the person first, then set force: true.",
            param="force",
            code="force_needed",
        )
    async with session.platform() as platform:
        await platform.remove(name)
    return Answer({"serviceName": name, "status": "deleted"}, f"{name} is gone. Its logs stay.")


async def traffic(session: Session, asked: ManageCloudRun) -> Answer:
    """The next step of a gray release, or the way back."""
    name = named(asked.server_name, "serverName")
    async with session.platform() as platform:
        try:
            release = await _step(platform, name, asked)
        except Conflict as error:
            raise await _in_words_of_the_tool(platform, name, error) from None
    data = {
        "serverName": name,
        "trafficOp": asked.traffic_op,
        "stablePercent": 100 - release.rollout.percent,
        "canaryPercent": release.rollout.percent,
        "result": msgspec.to_builtins(release),
    }
    following = f" Next: {_NEXT[release.next_step]}." if release.next_step in _NEXT else ""
    return Answer(data, f"The release of {name} is {release.rollout.state}.{following}")


async def open_environment(session: Session) -> Answer:
    """The platform, started if it does not run."""
    async with session.platform() as platform:
        status = await platform.status()
    data = {"envId": services.ENVIRONMENT, "status": "normal", "url": status.url}
    return Answer(data, f"The platform runs; services are at {status.url}.")


async def _definition_before(platform: AsyncClient, name: str) -> Definition | None:
    try:
        return await services.definition_of(platform, name)
    except NotFound:
        return None


def _wished(program: Program, before: Definition | None, config: ServerConfig) -> Deployment:
    """What the program, the version before it and the configuration come to."""
    found = program.wish.definition
    known = before if before is not None and not program.is_whole else None
    return msgspec.structs.replace(
        program.wish,
        definition=_configured(_over(known, found) if known else found, config),
        secrets=_secrets(config, known, program.wish.secrets),
    )


def _over(before: Definition, found: Definition) -> Definition:
    """The configuration of before with another program. Its variables stay on the platform, which keeps them."""
    return msgspec.structs.replace(
        before,
        command=found.command,
        language=found.language,
        health=found.health if found.health != HealthCheck() else before.health,
        variables=found.variables,
        masked=(),
        secrets=(),
        labels={**before.labels, **found.labels},
    )


def _configured(base: Definition, config: ServerConfig) -> Definition:
    changed = sizes.applied(base, config)
    variables = {**changed.variables, **(config.env_params or {})}
    masked = dict.fromkeys((*changed.masked, *sizes.secret_names(variables)))
    return msgspec.structs.replace(changed, variables=variables, masked=tuple(masked))


def _secrets(config: ServerConfig, before: Definition | None, own: tuple[str, ...]) -> tuple[str, ...]:
    if config.secrets is not None:
        return tuple(config.secrets)
    return own or tuple(ref.name for ref in before.secrets) if before else own


async def _deployed(platform: AsyncClient, wish: Deployment, package: Package, say: Say) -> Deployed:
    """The package sent, if the platform has not got it, and a version made of it."""
    if not await platform.has_package(package.digest):
        await platform.put_package(package.digest, package.encode())
    definition = msgspec.structs.replace(wish.definition, package=package.digest, packages="")
    return await platform.deploy(msgspec.structs.replace(wish, definition=definition), say)


def _told(done: Deployed, asked: ManageCloudRun, program: Program, before: Definition | None) -> Answer:
    name, url = done.agent.name, done.agent.url
    gray = asked.release_type == "GRAY" and before is not None and done.created
    following = {"tool": "manageCloudRun", "action": "traffic", "note": _NEXT["test"]} if gray else {
        "tool": "queryCloudRun", "action": "detail", "suggested_args": {"detailServerName": name}
    }  # fmt: skip
    data: dict[str, Any] = {
        "serviceName": name,
        "status": "deployed",
        "deployType": "source",
        "serverType": program.kind,
        "cloudbasercGenerated": False,
        "buildId": done.deployment,
        "runId": f"{name}@{done.version}",
        "versionName": services.version_name(name, done.version),
        "created": done.created,
        "registration": {"registered": True, "timedOut": False},
        "configMerge": {"merged": before is not None, "replacedEnvParams": asked.env_params_replace_all},
        "accessUrl": url,
        "accessUrls": [url, *(endpoint.url for endpoint in done.agent.endpoints)],
        "next_step": following,
        "warnings": [*sizes.warnings_of(asked.server_config), *done.notes],
    }
    what = "answers" if done.created else "was there already, with this content"
    held = " Nobody reaches it yet: it is held for its gray release." if gray else ""
    return Answer(data, f"Version {done.version} of {name} {what}; {url}.{held}")


async def _step(platform: AsyncClient, name: str, asked: ManageCloudRun) -> Release:
    match asked.traffic_op:
        case "test":
            testers = asked.testers
            parameter, _, value = ((testers.parameter if testers else None) or "").partition("=")
            open_ids = tuple(testers.open_ids) if testers else ()
            return await platform.release_test(name, Testers(open_ids, parameter or None, value or None))
        case "set":
            return await platform.release_percent(name, _percent(asked))
        case "promote":
            if (await platform.release(name)).rollout.percent < 100:
                await platform.release_percent(name, 100)
            return await platform.release_finalize(name)
        case "rollback":
            return await platform.release_rollback(name)
        case None:
            raise RequestError(
                "trafficOp is missing.", hint="It is test, set, promote or rollback.", param="trafficOp"
            )


def _percent(asked: ManageCloudRun) -> float:
    stable, canary = asked.stable_percent, asked.canary_percent
    if canary is None and stable is None:
        raise RequestError(
            "canaryPercent is missing.", hint="It is the new version's share of 100.", param="canaryPercent"
        )
    if canary is not None and stable is not None and abs(stable + canary - 100) > 1e-9:
        raise RequestError(
            f"stablePercent {stable:g} and canaryPercent {canary:g} add up to {stable + canary:g}, not to 100.",
            hint="Give one of them; the other is the rest.",
            param="canaryPercent",
        )
    return canary if canary is not None else 100 - (stable or 0)


async def _in_words_of_the_tool(platform: AsyncClient, name: str, error: Conflict) -> Conflict:
    """The platform's hints are commands of its own."""
    following = (await platform.release(name)).next_step
    hint = f"Next: {_NEXT[following]}." if following else "Start one: action deploy, releaseType GRAY."
    return Conflict(error.message, hint=hint, code=error.code)
