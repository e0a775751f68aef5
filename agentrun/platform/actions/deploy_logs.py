"""What deploys say: told on, and kept with the version that comes of it or with what went wrong."""

from __future__ import annotations

import logging
from collections.abc import Callable

from agentrun.errors import AgentRunError
from agentrun.platform.actions import view
from agentrun.platform.core import Core
from agentrun.resources import DeployLog

_MOST_LINES = 200
_WIDEST = 400

_log = logging.getLogger(__name__)


class Saying:
    """One deploy's. Of many lines the last are kept."""

    def __init__(self, runtime: str, by: str, tell: Callable[[str], None]) -> None:
        self._runtime, self._by, self._tell = runtime, by, tell
        self._lines: list[str] = []

    def say(self, line: str) -> None:
        self._lines.append(line[:_WIDEST])
        self._tell(line)

    def log(self, at: float, version: int) -> DeployLog:
        """Of a deploy that came to a version."""
        return DeployLog(self._runtime, view.iso(at), self._by, self._kept(), str(version))

    async def failed(self, core: Core, error: Exception) -> None:
        """Keep it with the error; where that cannot be written either, whoever deploys is told all the same."""
        self._lines += [line[:_WIDEST] for line in str(error).splitlines()]
        log = DeployLog(self._runtime, view.iso(core.clock()), self._by, self._kept())
        try:
            await core.records(lambda records: records.add_deploy_log(log))
        except (AgentRunError, OSError) as problem:
            _log.warning("What a deploy of %s said is not kept: %s", self._runtime, problem)

    def _kept(self) -> tuple[str, ...]:
        return tuple(self._lines[-_MOST_LINES:])


async def of_runtime(core: Core, runtime: str, limit: int) -> list[DeployLog]:
    """The newest first; those of a runtime that never came to be as well."""
    return await core.records(lambda records: records.deploy_logs(runtime, limit))
