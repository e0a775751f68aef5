"""`queryAgents` and `manageAgents`: services that are bots, by their ids."""

from __future__ import annotations

import asyncio
import base64
import binascii
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import msgspec

from agentrun.bot_id import BotId
from agentrun.cli.mcp_platform import changes, folders, programs, projects, services
from agentrun.cli.mcp_platform.answers import Answer, page
from agentrun.cli.mcp_platform.arguments import (
    ManageAgents,
    ManageCloudRun,
    QueryAgents,
    ServerConfig,
)
from agentrun.cli.mcp_platform.session import Session
from agentrun.cli.tool_server import Say
from agentrun.client import AsyncClient
from agentrun.errors import Conflict, NotFound, RequestError
from agentrun.platform.builds import Package, pack
from agentrun.resources import RuntimeInfo

_WRITE = "/v1/aibot/bots/{}/send-message"


async def query(session: Session, asked: QueryAgents) -> Answer:
    """The answer to one action."""
    async with session.platform() as platform:
        if asked.action == "listAgents":
            agents = [_agent(info) for info in await platform.runtimes() if info.bot_id]
            shown, pagination = page(agents, asked.page_size, asked.page_number)
            return Answer({"agents": shown, "pagination": pagination}, f"{pagination['total']} agents.")
        info = await _find(platform, asked.agent_id)
        if asked.action == "getAgentLogs":
            return await services.process_log(platform, info.name, limit=asked.page_size * 10)
        return Answer({"agent": _agent(info)}, f"{info.bot_id or info.name} is at {info.url}.")


async def manage(session: Session, asked: ManageAgents, say: Say) -> Answer:
    """Make a bot of a folder's code, change it, delete it."""
    if asked.action == "createAgent":
        return await _create(session, asked, say)
    async with session.platform() as platform:
        info = await _find(platform, asked.agent_id)
    if asked.action == "deleteAgent":
        return await changes.remove(session, info.name, force=asked.force)
    if asked.cwd is None and asked.zip_file is None:
        return await changes.update_config(
            session, _change(info.name, asked), say, description=asked.description
        )
    bot = BotId.parse(info.bot_id) if info.bot_id else None
    return await _bring_out(session, asked, info.name, bot, info.description, say)


async def _create(session: Session, asked: ManageAgents, say: Say) -> Answer:
    if asked.agent_id is not None:
        bot = BotId.parse(asked.agent_id)
    elif asked.name is not None:
        bot = BotId.make(asked.name.lower(), "v1")
    else:
        raise RequestError(
            "agentId is missing.", hint="It is ibot-<name>-<tag>; or give name.", param="agentId"
        )
    async with session.platform() as platform:
        if any(info.name == bot.service for info in await platform.runtimes()):
            raise Conflict(
                f"{bot.service} is there already.", hint="Take action updateAgent, or another name."
            )
    return await _bring_out(session, asked, bot.service, bot, "", say)


async def _bring_out(
    session: Session, asked: ManageAgents, name: str, bot: BotId | None, description: str, say: Say
) -> Answer:
    change = _change(name, asked)
    async with _code(session, asked) as folder:
        program = programs.find(folder, folder, name, change.server_config, "function")
        definition = msgspec.structs.replace(
            program.wish.definition, bot_id=str(bot) if bot else program.wish.definition.bot_id
        )
        said = asked.description if asked.description is not None else description
        wish = msgspec.structs.replace(program.wish, definition=definition, description=said)
        program = msgspec.structs.replace(program, wish=wish)
        answer = await changes.bring_out(session, program, change, say)
    data = {"agentId": str(bot) if bot else name, **answer.data}
    if bot:
        data["route"] = _WRITE.format(bot)
    return Answer(data, answer.message)


@asynccontextmanager
async def _code(session: Session, asked: ManageAgents) -> AsyncGenerator[Path]:
    """The folder that holds the code: the one that is named, or the zip's files for as long as they are needed."""
    if asked.zip_file is None:
        yield folders.existing(session.root, asked.cwd, "cwd")
        return
    try:
        data = base64.b64decode(asked.zip_file, validate=True)
    except binascii.Error as error:
        raise RequestError(f"zipFile is no base64: {error}.", param="zipFile") from None
    with TemporaryDirectory(prefix="agentrun-zip-") as folder:
        file = Path(folder) / "code.zip"
        file.write_bytes(data)
        # a zip may name files outside of it; a package that has travelled may not
        package = Package.decode((await asyncio.to_thread(pack, file)).encode())
        await asyncio.to_thread(projects.unpack, package, Path(folder) / "code")
        yield Path(folder) / "code"


def _change(name: str, asked: ManageAgents) -> ManageCloudRun:
    """The same wish as one for a service."""
    memory = asked.memory_size
    config = ServerConfig.model_validate({} if memory is None else {"Mem": memory / 1024})
    return ManageCloudRun(action="deploy").model_copy(update={"server_name": name, "server_config": config})


async def _find(platform: AsyncClient, agent: str | None) -> RuntimeInfo:
    """By the bot's id, or by the name of its service."""
    wanted = services.named(agent, "agentId")
    found = await platform.runtimes()
    for info in found:
        if wanted in (info.bot_id, info.name):
            return info
    known = ", ".join(info.bot_id for info in found if info.bot_id) or "none"
    raise NotFound(f"There is no agent {wanted}.", hint=f"There are: {known}.")


def _agent(info: RuntimeInfo) -> dict[str, Any]:
    return {
        "agentId": info.bot_id or info.name,
        "description": info.description,
        "route": _WRITE.format(info.bot_id) if info.bot_id else "",
        **services.base_info(info),
    }
