"""The four tools: how a model sees each, and what it does with its arguments."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from pydantic import BaseModel

from agentrun.cli.mcp_platform import agents, changes, projects, services
from agentrun.cli.mcp_platform.answers import Answer, refusal
from agentrun.cli.mcp_platform.arguments import (
    ManageAgents,
    ManageCloudRun,
    QueryAgents,
    QueryCloudRun,
    read,
    schema_of,
)
from agentrun.cli.mcp_platform.session import Session
from agentrun.cli.tool_server import Say, Tool
from agentrun.errors import AgentRunError

_log = logging.getLogger(__name__)

INSTRUCTIONS = """\
Services and agents on this platform. A service is a program that serves HTTP on the port in PORT.
manageCloudRun: init makes a project, run tries it here, deploy brings it out. Paths are absolute and inside of {root}.
A gray release: deploy with releaseType GRAY, then traffic with trafficOp test, set, promote or rollback.
An answer is JSON: success, and data or error with a message that says what to do."""

Arguments = TypeVar("Arguments", bound=BaseModel)


def tools_of(session: Session) -> list[Tool]:
    """All of them, for one client."""

    async def query(asked: QueryCloudRun, say: Say) -> Answer:
        return await services.query(session, asked)

    async def manage(asked: ManageCloudRun, say: Say) -> Answer:
        return await _manage(session, asked, say)

    async def query_agents(asked: QueryAgents, say: Say) -> Answer:
        return await agents.query(session, asked)

    async def manage_agents(asked: ManageAgents, say: Say) -> Answer:
        return await agents.manage(session, asked, say)

    return [
        _tool(
            "queryCloudRun", "Look at services", QueryCloudRun, query, reads_only=True,
            about="Which services there are (list), what one is (detail), templates, deploy records and logs.",
        ),
        _tool(
            "manageCloudRun", "Manage services", ManageCloudRun, manage,
            about="Make a project (init, createAgent), run it here (run, logs, stop), bring it out (deploy), change "
            "its configuration (updateConfig), share traffic (traffic), get its code (download), delete it (force: true).",
        ),
        _tool(
            "queryAgents", "Look at agents", QueryAgents, query_agents, reads_only=True,
            about="Which agents there are, what one is, and its logs.",
        ),
        _tool(
            "manageAgents", "Manage agents", ManageAgents, manage_agents,
            about="Deploy a folder's code as an agent with the id ibot-<name>-<tag>, change it, delete it (force: true).",
        ),
    ]  # fmt: skip


async def _manage(session: Session, asked: ManageCloudRun, say: Say) -> Answer:
    match asked.action:
        case "init":
            return await projects.init(session, asked)
        case "createAgent":
            return await projects.create_agent(session, asked)
        case "download":
            return await projects.download(session, asked)
        case "run":
            return await projects.run(session, asked)
        case "stop":
            return await projects.stop(session, asked)
        case "logs":
            return await projects.logs(session, asked)
        case "deploy":
            return await changes.deploy(session, asked, say)
        case "updateConfig":
            return await changes.update_config(session, asked, say)
        case "traffic":
            return await changes.traffic(session, asked)
        case "delete":
            return await changes.delete(session, asked)
        case "initEnv":
            return await changes.open_environment(session)


def _tool(
    name: str,
    title: str,
    kind: type[Arguments],
    act: Callable[[Arguments, Say], Awaitable[Answer]],
    *,
    about: str,
    reads_only: bool = False,
) -> Tool:
    async def call(arguments: dict[str, Any], say: Say) -> tuple[str, bool]:
        try:
            return (await act(read(kind, arguments), say)).text(), False
        except AgentRunError as error:
            return refusal(error), True
        except OSError as error:
            said = AgentRunError(f"{error.filename or 'A file'}: {error.strerror or error}.", code="os_error")
            return refusal(said), True
        except asyncio.CancelledError:
            raise
        except Exception as error:
            _log.exception("%s failed", name)
            said = AgentRunError(f"The tool failed: {type(error).__name__}.", hint="Its stderr says where.")
            return refusal(said), True

    return Tool(name, title, about, schema_of(kind), reads_only, call)
