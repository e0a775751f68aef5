"""Ask: one request to the control API, and what its parts are read as."""

from __future__ import annotations

from collections.abc import Mapping
from math import isfinite, nan
from typing import TypeVar

import msgspec

from agentrun.errors import RequestError

T = TypeVar("T")

_MOST = 10_000


class Ask(msgspec.Struct, frozen=True):
    """Who asks, and for what."""

    by: str
    path: Mapping[str, str]
    query: Mapping[str, str]
    body: bytes = b""

    def read(self, kind: type[T]) -> T:
        """The body; a RequestError says what is wrong with it and where."""
        try:
            return msgspec.json.decode(self.body or b"{}", type=kind)
        except msgspec.ValidationError as error:
            said, _, place = str(error).partition(" - at `$")
            raise RequestError(
                f"The body is not as it has to be: {said}.", param=place.strip("`.") or None
            ) from None
        except msgspec.DecodeError as error:
            raise RequestError(f"The body is no JSON: {error}.") from None

    def number(self, name: str, default: float | None = None) -> float | None:
        """A number of the query."""
        text = self.query.get(name)
        if text is None:
            return default
        try:
            found = float(text)
        except ValueError:
            found = nan
        if not isfinite(found):
            raise RequestError(f"{name}={text!r} is no number.", param=name)
        return found

    def limit(self, default: int) -> int:
        """How many are wanted at most."""
        return int(max(1, min(self.number("limit", default) or default, _MOST)))

    def flag(self, name: str) -> bool:
        return self.query.get(name, "").lower() in ("1", "true", "yes")
