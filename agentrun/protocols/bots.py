"""The bot that a path names."""

from __future__ import annotations

from agentrun.bot_id import BotId, InvalidBotId
from agentrun.errors import NotFound, RequestError
from agentrun.protocols.protocol import Desk


def checked_bot(bot_id: str, param: str = "bot_id") -> str:
    """An id that may be one, before anything is read, written or run."""
    try:
        return str(BotId.parse(bot_id))
    except InvalidBotId as error:
        raise RequestError(error.message, hint=error.hint, param=param, code="invalid_bot_id") from None


def served_bot(bot_id: str, desk: Desk, param: str = "bot_id") -> str:
    """One that this server has, or may have: without ids of its own it takes any."""
    checked = checked_bot(bot_id, param)
    if desk.bots and checked not in desk.bots:
        raise NotFound(
            f"There is no bot {checked!r} here.",
            hint=f"This server has: {', '.join(desk.bots)}.",
            param=param,
            code="bot_not_found",
        )
    return checked
