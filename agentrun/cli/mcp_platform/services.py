"""`queryCloudRun`: which services there are, what each is, how its deploys and its requests went."""

from __future__ import annotations

from typing import Any

import msgspec

from agentrun.cli.mcp_platform import sizes, starters
from agentrun.cli.mcp_platform.answers import Answer, page
from agentrun.cli.mcp_platform.arguments import QueryCloudRun
from agentrun.cli.mcp_platform.session import Session
from agentrun.client import AsyncClient
from agentrun.errors import NotFound, RequestError
from agentrun.resources import Definition, Release, RuntimeInfo, VersionInfo

ENVIRONMENT = "local"
_MOST_LOGS = 100  # of deploys that are looked at


async def query(session: Session, asked: QueryCloudRun) -> Answer:
    """The answer to one action."""
    match asked.action:
        case "templates":
            found = starters.shown()
            return Answer({"templates": found}, f"{len(found)} templates; use one with action init.")
        case "envStatus":
            return await _environment(session)
        case "list":
            async with session.platform() as platform:
                return _list(await platform.runtimes(), asked)
        case _:
            async with session.platform() as platform:
                return await _of_service(platform, named(asked.detail_server_name), asked)


def named(name: str | None, argument: str = "detailServerName") -> str:
    """The service that an action is about."""
    if name is None:
        raise RequestError(
            f"{argument} is missing.", hint="queryCloudRun, action list, names them.", param=argument
        )
    return name


async def _of_service(platform: AsyncClient, name: str, asked: QueryCloudRun) -> Answer:
    match asked.action:
        case "detail":
            return await _detail(platform, name, reveal=asked.reveal_env_params)
        case "getDeployRecords":
            records = await records_of(platform, name)
            data = {"serverName": name, "deployRecords": records, "total": len(records)}
            return Answer({**data, "latestDeploy": records[0]}, f"{name} has {len(records)} versions.")
        case "getDeployLog":
            return await _deploy_log(platform, name, asked.build_id)
        case "getProcessLog":
            return await process_log(
                platform,
                name,
                limit=asked.limit,
                run_id=asked.run_id,
                search=asked.search,
                request=asked.request_id,
            )
        case _:
            return await _task(platform, name)


def _list(found: list[RuntimeInfo], asked: QueryCloudRun) -> Answer:
    part = (asked.server_name or "").lower()
    services = [
        base_info(info)
        for info in found
        if part in info.name.lower() and asked.server_type in (None, kind_of(info))
    ]
    shown, pagination = page(services, asked.page_size, asked.page_num)
    return Answer({"services": shown, "pagination": pagination}, f"{pagination['total']} services.")


def kind_of(info: RuntimeInfo) -> str:
    """What was deployed by other means is a function: it has a command and no image."""
    return info.labels.get(sizes.KIND, "function")


def base_info(info: RuntimeInfo) -> dict[str, Any]:
    """A service as lists have it."""
    return {
        "ServerName": info.name,
        "ServerType": kind_of(info),
        "Status": {"READY": "normal"}.get(info.status, "abnormal"),
        "DefaultDomainName": info.url,
        "CustomDomainName": "",
        "PublicDomain": info.url if "PUBLIC" in sizes.access_types(info) else "",
        "InternalDomain": info.url,
        "Version": info.version,
        "Instances": info.instances,
        "BotId": info.bot_id,
        "UpdateTime": info.timestamps.last_updated_at,
    }


async def _detail(platform: AsyncClient, name: str, *, reveal: bool) -> Answer:
    info = await platform.info(name)
    records = await records_of(platform, name)
    definition = await definition_of(platform, name)
    secrets = {ref.name: "***" for ref in definition.secrets}
    variables = definition.variables if reveal else dict.fromkeys(definition.variables, "***")
    service = {
        "BaseInfo": base_info(info),
        "ServerConfig": sizes.shown(definition, {**variables, **secrets}),
        "Endpoints": [
            {"Name": each.name, "Url": each.url, "Traffic": each.traffic} for each in info.endpoints
        ],
        "Metrics": [_metrics(name, version) for version in await platform.versions(name)],
        "Instances": [msgspec.to_builtins(each) for each in await platform.instances(name)],
        "Conditions": [msgspec.to_builtins(each) for each in info.conditions],
    }
    said = f"{name} is at {info.url}." if info.status == "READY" else f"{name} is not well: see Conditions."
    return Answer({"service": service, "latestDeploy": records[0]}, said)


def _metrics(name: str, version: VersionInfo) -> dict[str, Any]:
    """How a version answered in the last minute. What its instances use stands with them."""
    return {
        "RunId": f"{name}@{version.version}",
        "Requests": version.requests,
        "QPS": round(version.requests / 60, 3),
        "ErrorRate": round(version.errors / version.requests, 4) if version.requests else 0.0,
        "ResponseMsP50": version.p50_ms,
        "ResponseMsP95": version.p95_ms,
    }


async def definition_of(platform: AsyncClient, name: str) -> Definition:
    """What the newest version is; hidden values are `***`."""
    return (await platform.deployed(name)).definition


async def records_of(platform: AsyncClient, name: str) -> list[dict[str, Any]]:
    """A service's versions as CloudBase's deploys, the newest first."""
    # of several that came to one version, the first has made it
    builds = {log.version: log.number for log in await platform.deploy_logs(name, _MOST_LOGS)}
    return [_record(name, version, builds.get(version.version)) for version in await platform.versions(name)]


def _record(name: str, version: VersionInfo, build: int | None) -> dict[str, Any]:
    return {
        "BuildId": build,
        "RunId": f"{name}@{version.version}",
        "VersionName": version_name(name, version.version),
        "FlowRatio": float(version.traffic.rstrip("%") or 0),
        "Status": "running" if version.traffic not in ("", "0%") else "idle",
        "Description": version.description,
        "DeployTime": version.last_updated_at,
        "Url": version.url,
    }


def version_name(name: str, number: str) -> str:
    """As CloudBase counts versions: shop-001."""
    return f"{name}-{int(number):03}"


async def _deploy_log(platform: AsyncClient, name: str, number: int | None) -> Answer:
    """What a deploy said; the last one, if none is named."""
    logs = await platform.deploy_logs(name, _MOST_LOGS)
    log = next((log for log in logs if number in (None, log.number)), None)
    if log is None:
        known = ", ".join(str(log.number) for log in logs)
        raise NotFound(
            f"There is no such deploy of {name}.",
            hint=f"buildId may be {known}." if known else "Deploy it: manageCloudRun, action deploy.",
        )
    data = {
        "buildId": log.number,
        "status": log.status,
        "buildLog": log.lines,
        "combinedLogText": "\n".join(log.lines),
        "deployTime": log.at,
        "runId": f"{name}@{log.version}" if log.version else None,
    }
    return Answer(data, f"The deploy {log.number} of {name}: {log.status}.")


async def process_log(
    platform: AsyncClient,
    name: str,
    *,
    limit: int,
    run_id: str | None = None,
    search: str | None = None,
    request: str | None = None,
) -> Answer:
    """What a service's instances printed, and its requests; of one version, with that text, of one request."""
    await platform.info(name)
    query = {"limit": str(limit), "search": search, "request": request}
    asked = {key: value for key, value in query.items() if value is not None}
    lines = [line async for line in platform.logs(name, **asked)]
    if run_id is not None:
        # output does not say of which version it is; its instance does, or a request that it answered
        versions = {line.instance_id: line.version for line in lines if line.version}
        versions |= {each.instance_id: each.version for each in await platform.instances(name)}
        lines = [line for line in lines if f"{name}@{versions.get(line.instance_id)}" == run_id]
    data = {
        "serverName": name,
        "runId": run_id,
        "processLogs": [msgspec.to_builtins(line) for line in lines],
        "processLogText": "\n".join(f"{line.at} {line.text}" for line in lines),
        "requestId": request,
    }
    return Answer(data, f"{len(lines)} lines of {name}.")


async def _task(platform: AsyncClient, name: str) -> Answer:
    """The gray release that is under way or was the last; else the last deploy."""
    records = await records_of(platform, name)
    try:
        release: Release | None = await platform.release(name)
    except NotFound:
        release = None
    running = release is not None and release.next_step != ""
    data = {
        "envId": ENVIRONMENT,
        "serverName": name,
        "taskId": release.rollout.id if release else records[0]["RunId"],
        "taskStatus": "running" if running else "finished",
        "task": msgspec.to_builtins(release) if release else None,
        "latestDeployStatus": records[0]["Status"],
        "latestDeploy": records[0],
    }
    said = (
        f"Next step of the release: {release.next_step}." if release and running else "Nothing is under way."
    )
    return Answer(data, said)


async def _environment(session: Session) -> Answer:
    is_up = await session.is_up()
    said = "The platform runs." if is_up else "It does not run; action initEnv, or any deploy, starts it."
    return Answer({"envId": ENVIRONMENT, "status": "normal" if is_up else "unopened", "isExist": is_up}, said)
