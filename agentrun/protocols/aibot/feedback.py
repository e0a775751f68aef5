"""Filter: which of what users think of answers is asked for."""

from __future__ import annotations

from collections.abc import Callable

from agentrun.errors import RequestError
from agentrun.protocols.aibot.call import BotCall
from agentrun.sessions import Note

_Test = Callable[[str, str], bool]
_SENDERS: dict[str, _Test] = {
    "include": lambda found, wanted: wanted in found,
    "exclude": lambda found, wanted: wanted not in found,
    "equal": lambda found, wanted: found == wanted,
    "unequal": lambda found, wanted: found != wanted,
    "prefix": lambda found, wanted: found.startswith(wanted),
}


class Filter:
    """What the query says of type, sender, rating and time. Times are seconds since the epoch."""

    def __init__(self, call: BotCall) -> None:
        query = call.query
        how = query.get("senderFilter", "equal")
        if how not in _SENDERS:
            known = ", ".join(_SENDERS)
            raise RequestError(f"senderFilter is {how!r}; it has to be one of {known}.", param="senderFilter")
        self._is_sender = _SENDERS[how]
        self._sender = query.get("sender")
        self._type = query.get("type")
        self._least = call.number("minRating", 0) if "minRating" in query else None
        self._most = call.number("maxRating", 0) if "maxRating" in query else None
        self._from = call.number("from", 0)
        self._to = call.number("to", 0) if "to" in query else None

    def has(self, note: Note) -> bool:
        """Whether it is asked for."""
        sender, rating = str(note.body.get("sender")), note.body.get("rating")
        if self._type is not None and note.body.get("type") != self._type:
            return False
        if self._sender is not None and not self._is_sender(sender, self._sender):
            return False
        if self._least is not None and (rating is None or rating < self._least):
            return False
        if self._most is not None and (rating is None or rating > self._most):
            return False
        return note.created >= self._from and (self._to is None or note.created <= self._to)
