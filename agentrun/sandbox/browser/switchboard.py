"""Switchboard: several clients speak with one browser over one pipe, each as if it were alone. Nothing is read or written here.

Chromium gives every client that attaches to the browser as a target a session of its own. A client's messages go through
it, and it gets what comes out of it and of the sessions it has opened there: what one subscribes to, no other sees.
"""

from __future__ import annotations

import itertools
from typing import Any

import msgspec

_NO_SESSION = -32001  # as Chromium says it
_NO_MESSAGE = -32700


class Message(msgspec.Struct, omit_defaults=True, rename="camel"):
    """A command, its answer, or an event. What is in it is not looked at."""

    id: int | None = None
    method: str | None = None
    session_id: str | None = None
    params: msgspec.Raw = msgspec.Raw()
    result: msgspec.Raw = msgspec.Raw()
    error: msgspec.Raw = msgspec.Raw()


class Answer(msgspec.Struct, frozen=True):
    """What is said to a client at once, and whether it has hung up."""

    text: bytes
    leaves: bool = False


class _Asked(msgspec.Struct, frozen=True):
    """A command on its way: whose, and how its sender names it."""

    client: int
    id: int
    session_id: str | None


class _Attached(msgspec.Struct, rename="camel"):
    session_id: str = ""


_decode = msgspec.json.Decoder(Message).decode
_encode = msgspec.json.Encoder().encode


class Switchboard:
    """Knows which session is whose. `downloads` is the folder where they land, whatever a client wishes."""

    def __init__(self, downloads: str) -> None:
        self._downloads = downloads
        self._numbers = itertools.count(1)
        self._asked: dict[int, _Asked] = {}
        self._roots: dict[int, str] = {}
        self._owners: dict[str, int] = {}

    def join(self, client: int, session: str) -> None:
        """A client, and the session it was given by the browser."""
        self._roots[client] = session
        self._owners[session] = client

    def leave(self, client: int) -> bytes | None:
        """The message that ends all its sessions."""
        root = self._roots.pop(client, None)
        self._owners = {session: owner for session, owner in self._owners.items() if owner != client}
        self._asked = {number: asked for number, asked in self._asked.items() if asked.client != client}
        return None if root is None else self.own("Target.detachFromTarget", {"sessionId": root})[1]

    def own(self, method: str, params: dict[str, Any], client: int = 0) -> tuple[int, bytes]:
        """A command of nobody's session, and its number; the answer is for client 0."""
        number = next(self._numbers)
        self._asked[number] = _Asked(client, number, None)
        return number, _encode({"id": number, "method": method, "params": params})

    def to_browser(self, client: int, data: bytes | str) -> bytes | Answer:
        """What a client has said as the browser gets it, or what it is answered without."""
        try:
            message = _decode(data)
        except (msgspec.DecodeError, RecursionError) as error:
            return _refusal(None, None, _NO_MESSAGE, f"This is no message: {error}")
        if message.id is None or message.method is None:
            return _refusal(message.id, message.session_id, _NO_MESSAGE, "A message needs an id and a method")
        session = message.session_id
        if session is not None and self._owners.get(session) != client:
            return _refusal(message.id, session, _NO_SESSION, "Session with given id not found.")
        if message.method == "Browser.close":
            # the browser is the sandbox's; whoever closes it has closed the part that is theirs
            return Answer(_encode({"id": message.id, "result": {}}), leaves=True)
        if message.method == "Browser.setDownloadBehavior":
            try:
                message.params = self._kept_here(message.params)
            except msgspec.DecodeError as error:
                return _refusal(message.id, session, _NO_MESSAGE, f"These are no params: {error}")
        number = next(self._numbers)
        self._asked[number] = _Asked(client, message.id, session)
        message.id = number
        message.session_id = session or self._roots[client]
        return _encode(message)

    def from_browser(self, data: bytes) -> tuple[int, bytes] | None:
        """Whom a message of the browser is for, and as they get it; DecodeError if it is none."""
        message = _decode(data)
        if message.id is not None:
            asked = self._asked.pop(message.id, None)
            if asked is None:
                return None
            message.id, message.session_id = asked.id, asked.session_id
            return asked.client, _encode(message)
        session = message.session_id
        owner = 0 if session is None else self._owners.get(session)
        if owner is None:
            return None
        if message.method == "Target.attachedToTarget":
            self._owners[_session_in(message)] = owner
        elif message.method == "Target.detachedFromTarget":
            self._owners.pop(_session_in(message), None)
        if session == self._roots.get(owner):
            message.session_id = None
        return owner, _encode(message)

    def _kept_here(self, params: msgspec.Raw) -> msgspec.Raw:
        """A client names a folder of its own machine; what is downloaded is here, under its own name."""
        wished: dict[str, Any] = msgspec.json.decode(params, type=dict[str, Any]) if params else {}
        if wished.get("behavior") in ("allow", "allowAndName", "default"):
            wished |= {"behavior": "allow", "downloadPath": self._downloads}
        return msgspec.Raw(_encode(wished))


def _session_in(message: Message) -> str:
    return msgspec.json.decode(message.params, type=_Attached).session_id


def _refusal(id: int | None, session: str | None, code: int, why: str) -> Answer:
    said: dict[str, Any] = {"id": id, "error": {"code": code, "message": why}}
    return Answer(_encode(said if session is None else {**said, "sessionId": session}))
