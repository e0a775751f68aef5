"""Where integrations keep what outlives a Run, and whose it is."""

from __future__ import annotations

from functools import cache

from agentrun import config
from agentrun.run.execution import current_execution
from agentrun.run.turns import scope_of
from agentrun.sessions import Scope, Store, open_store


def kept_store() -> Store:
    """The store of the configuration; one for each place."""
    settings = config.load()
    return _opened(settings.sessions, settings.data, settings.keep_sessions_s)


def kept_scope() -> Scope:
    """Whose Run this is; nobody's outside of one."""
    execution = current_execution.get()
    return Scope() if execution is None else scope_of(execution.request, execution.owner)


@cache
def _opened(place: str, data: str, keep_s: float) -> Store:
    return open_store(place, data, keep_s=keep_s)
