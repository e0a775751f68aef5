"""Who calls, and whether what they say of their users is believed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from ipaddress import ip_address
from typing import NamedTuple, TypeAlias

from agentrun.errors import PermissionDenied


class Caller(NamedTuple):
    """`trusted` ones may name a user in `X-WX-OPENID` and the like."""

    name: str = ""
    trusted: bool = False


_CARRIERS_IN_ORDER = ("x-agentrun-key", "authorization", "x-api-key", "api-key")
_CARRIERS = frozenset(_CARRIERS_IN_ORDER)
_OF_PROXIES = frozenset(("forwarded", "via", "x-forwarded-for", "x-real-ip"))

Admit: TypeAlias = "Callable[[str | None, str], Caller]"


def anyone(_key: str | None, _runtime: str) -> Caller:
    """For an address that only this machine reaches."""
    return Caller()


def refuse_strangers(runtime: str, caller: Caller, peer: str, headers: Mapping[str, str]) -> None:
    """What is internal is for callers of this machine, and for those that are trusted. Whom a proxy on this machine speaks
    for is of another one.
    """
    is_near = ip_address(peer or "127.0.0.1").is_loopback and _OF_PROXIES.isdisjoint(headers)
    if not (caller.trusted or is_near):
        raise PermissionDenied(
            f"{runtime} is not open to callers of other machines.",
            hint="Call it from the platform's own machine and not through a proxy, or with a trusted key.",
        )


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
