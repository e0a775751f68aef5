"""`manageCloudRun`, what it does on this machine: new projects, their code, and programs that run here."""

from __future__ import annotations

import asyncio
import json
import re
import sys
from pathlib import Path
from typing import Any

from agentrun import config
from agentrun.bot_id import BotId
from agentrun.cli.mcp_platform import folders, programs, starters
from agentrun.cli.mcp_platform.answers import Answer
from agentrun.cli.mcp_platform.arguments import AgentConfig, ManageCloudRun
from agentrun.cli.mcp_platform.local import Local
from agentrun.cli.mcp_platform.services import named
from agentrun.cli.mcp_platform.session import Session
from agentrun.errors import ConfigError, Conflict, NotFound, RequestError
from agentrun.platform.builds import Package
from agentrun.platform.launch import command_of

_LOG_LINES = 200


async def init(session: Session, asked: ManageCloudRun) -> Answer:
    """A project from a template."""
    name = named(asked.server_name, "serverName")
    folder = folders.project(session.root, asked.target_path, name)
    starters.check(asked.template)
    files = await asyncio.to_thread(starters.make, asked.template, folder)
    data = {
        "serviceName": name,
        "template": asked.template,
        "initPath": str(folder.parent),
        "projectDir": str(folder),
        "filesCreated": [str(file) for file in files],
        "cloudbasercGenerated": False,
    }
    return Answer(data, f"{folder} is a project. Run it with targetPath {folder}, or deploy it.")


async def create_agent(session: Session, asked: ManageCloudRun) -> Answer:
    """A bot's project: its id is checked before anything is written."""
    name, wanted = named(asked.server_name, "serverName"), asked.agent_config
    if wanted is None:
        raise RequestError("agentConfig is missing.", hint="Give agentName and botTag.", param="agentConfig")
    bot = BotId.make(wanted.agent_name.lower(), wanted.bot_tag)
    starters.check(wanted.template, only_agents=True)
    folder = folders.project(session.root, asked.target_path, name)
    files = await asyncio.to_thread(_scaffold, wanted, folder, bot)
    data = {
        "agentName": wanted.agent_name,
        "botId": str(bot),
        "projectDir": str(folder),
        "serverName": name,
        "template": wanted.template,
        "filesCreated": [str(file) for file in files],
        "route": f"/v1/aibot/bots/{bot}/send-message",
        "warnings": [f"{wanted.agent_name} is {bot.name} in the bot's id."] * (bot.name != wanted.agent_name),
    }
    return Answer(
        data, f"{bot} is at {folder}. Run it: action run, targetPath {folder}, runOptions.runMode agent."
    )


def _scaffold(wanted: AgentConfig, folder: Path, bot: BotId) -> list[Path]:
    """The template's files, and in its s.yaml who the bot is."""
    files = starters.make(wanted.template, folder)
    file = folder / "s.yaml"
    text = re.sub(
        r"(?m)^( +)(name: .*)\n( +description:)", rf"\1\2\n\1botId: {bot}\n\3", file.read_text("utf-8")
    )
    if wanted.description:
        said = json.dumps(wanted.description, ensure_ascii=False)
        text = re.sub(r"(?m)^( {8}description:).*$", lambda match: f"{match[1]} {said}", text)
    file.write_text(text, "utf-8")
    return files


async def download(session: Session, asked: ManageCloudRun) -> Answer:
    """A service's code, as it was deployed, into a folder. Files that are there and differ are not overwritten."""
    name = named(asked.server_name, "serverName")
    folder = folders.inside(session.root, asked.target_path)
    async with session.platform() as platform:
        digest = (await platform.deployed(name)).package
        if not digest:
            raise NotFound(f"{name} has no code of its own: it is a command of this machine's.")
        package = Package.decode(await platform.get_package(digest))
    await asyncio.to_thread(unpack, package, folder)
    data = {
        "serviceName": name,
        "downloadPath": str(folder),
        "filesCount": len(package.files),
        "cloudbasercGenerated": False,
    }
    return Answer(data, f"{len(package.files)} files of {name} are in {folder}.")


def unpack(package: Package, folder: Path) -> None:
    """Write a package's files, unless one is there that differs."""
    for file in package.files:
        path = folder / file.path
        folders.inside(folder, str(path), "a file of the package")  # a link in the folder may lead out of it
        if path.exists() and path.read_bytes() != file.data:
            raise Conflict(
                f"{path} is there already and differs; nothing was written.", hint="Take an empty folder."
            )
    for file in package.files:
        path = folder / file.path
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(file.data)
        if file.executable:
            path.chmod(path.stat().st_mode | 0o111)


async def run(session: Session, asked: ManageCloudRun) -> Answer:
    """A function's program on this machine; told once its port answers."""
    name, options = named(asked.server_name, "serverName"), asked.run_options
    folder = folders.existing(session.root, asked.target_path)
    if asked.server_type == "container" or programs.is_container(folder):
        raise ConfigError(
            f"{folder} is of container mode, which is not run here.",
            hint="Deploy it: action deploy. Or, if it needs no Dockerfile, add an s.yaml.",
        )
    program = programs.find(session.root, folder, name, asked.server_config, "function")
    definition = program.wish.definition
    bot = BotId.parse(options.agent_id) if options.agent_id else definition.bot_id
    variables = {
        "PATH": f"{Path(sys.prefix) / 'bin'}:{config.environment('PATH') or '/usr/bin:/bin'}",
        **definition.variables,
        **({"RUN_MODE": "agent"} if options.run_mode == "agent" else {}),
        **({"AGENTRUN_BOT_ID": str(bot)} if bot else {}),
        **options.env_params,
    }
    command = command_of(definition.command, definition.language, None, variables["PATH"])
    local, started = await session.locals.run(name, program, command, options.port, variables)
    said = "runs" if started else "ran already"
    return Answer(
        {**_shown(local), "runMode": options.run_mode, "isAgent": bool(bot)},
        f"{name} {said}: http://127.0.0.1:{local.port}. It ends with action stop, and with this session.",
    )


async def stop(session: Session, asked: ManageCloudRun) -> Answer:
    """End a program that runs here."""
    name = named(asked.server_name, "serverName")
    ran = await session.locals.stop(name)
    local = session.locals.get(name)
    return Answer(
        {**_shown(local), "exitCode": local.process.returncode},
        f"{name} has ended." if ran else f"{name} had ended already.",
    )


async def logs(session: Session, asked: ManageCloudRun) -> Answer:
    """What a program that runs here has printed last."""
    name = named(asked.server_name, "serverName")
    local = session.locals.get(name)
    lines = await asyncio.to_thread(local.lines, _LOG_LINES)
    return Answer({**_shown(local), "logs": lines}, f"The last {len(lines)} lines of {name}.")


def _shown(local: Local) -> dict[str, Any]:
    return {
        "serviceName": local.name,
        "status": "running" if local.is_running else "stopped",
        "pid": local.pid,
        "port": local.port,
        "command": " ".join(local.command),
        "cwd": str(local.program.folder),
    }
