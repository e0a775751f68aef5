"""BotCall: one request to a bot, as its methods get it; and whose it is."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any, TypeVar

import msgspec

from agentrun.errors import RequestError
from agentrun.protocols.body import read_body, read_fields
from agentrun.protocols.protocol import Ask, Desk
from agentrun.sessions import Scope

Shape = TypeVar("Shape")
DEFAULT_SESSION = "default"
_LARGEST_PAGE = 100


class _Anything(msgspec.Struct):
    pass


class BotCall(msgspec.Struct, frozen=True, kw_only=True):
    """`user_id` is None where nothing tells one user from another."""

    bot_id: str
    user_id: str | None
    owner: str
    body: Mapping[str, Any]
    query: Mapping[str, str]
    headers: Mapping[str, str]
    path: Mapping[str, str]
    desk: Desk

    @property
    def scope(self) -> Scope:
        return Scope(self.owner, self.bot_id, self.user_id or "")

    def session_of(self, conversation_id: str | None) -> str | None:
        """A conversation, or the one that a user has without any."""
        return conversation_id or (DEFAULT_SESSION if self.user_id is not None else None)

    def read(self, shape: type[Shape]) -> Shape:
        """The body as a method wants it."""
        return read_fields(self.body, shape)

    def number(self, name: str, default: int, least: int = 0, most: int | None = None) -> int:
        """A number in the query."""
        text = self.query.get(name)
        try:
            value = default if text is None else int(text)
        except ValueError:
            value = least - 1
        if value < least or (most is not None and value > most):
            limit = f" to {most}" if most is not None else " or more"
            raise RequestError(f"{name} is {text!r}; it is a number of {least}{limit}.", param=name)
        return value

    def page(self) -> slice:
        """What `pageSize` and `pageNumber` name."""
        size = self.number("pageSize", 10, 1, _LARGEST_PAGE)
        start = (self.number("pageNumber", 1, 1) - 1) * size
        return slice(start, start + size)


def call_of(ask: Ask, desk: Desk, bot_id: str) -> BotCall:
    """The call that a request is."""
    body = read_body(ask.body, _Anything)[0] if ask.body else {}
    return BotCall(
        bot_id=bot_id,
        user_id=user_of(ask),
        owner=ask.owner,
        body=body,
        query=ask.query,
        headers=ask.headers,
        path=ask.path,
        desk=desk,
    )


def user_of(ask: Ask) -> str | None:
    """Who the caller says its user is; without API keys, whose token it sends."""
    named = ask.headers.get("x-user-id")
    if named:
        return named
    token = ask.headers.get("authorization")
    if ask.owner or not token:
        return None
    return "token-" + hashlib.sha256(token.encode("utf-8", "surrogateescape")).hexdigest()[:16]
