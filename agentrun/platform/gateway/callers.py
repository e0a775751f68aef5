"""Who calls, and whether what they say of their users is believed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple, TypeAlias


class Caller(NamedTuple):
    """`trusted` ones may name a user in `X-WX-OPENID` and the like."""

    name: str = ""
    trusted: bool = False


_CARRIERS_IN_ORDER = ("x-agentrun-key", "authorization", "x-api-key", "api-key")
_CARRIERS = frozenset(_CARRIERS_IN_ORDER)

Admit: TypeAlias = "Callable[[str | None, str], Caller]"


def anyone(_key: str | None, _runtime: str) -> Caller:
    """For an address that only this machine reaches."""
    return Caller()


def sent_key(headers: Mapping[str, str]) -> tuple[str | None, str]:
    """The key and the header that it came in; an instance does not get that header where the gateway took it as its own."""
    if _CARRIERS.isdisjoint(headers):
        return None, ""
    for name in _CARRIERS_IN_ORDER:
        value = headers.get(name, "")
        if name == "authorization":
            scheme, _, value = value.partition(" ")
            value = value.strip() if scheme.lower() == "bearer" else ""
        if value:
            return value, name
    return None, ""
