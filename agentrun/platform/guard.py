"""Who may ask for what: this user over the Unix socket for all, others for what the scopes of their keys say."""

from __future__ import annotations

import getpass
from collections.abc import Callable
from hmac import compare_digest
from ipaddress import ip_address
from typing import Literal, TypeAlias

from starlette.requests import HTTPConnection

from agentrun.errors import PermissionDenied, Unauthorized
from agentrun.platform.gateway.callers import Caller
from agentrun.platform.keys import Keys
from agentrun.platform.peers import pid_of
from agentrun.resources import Scope

# keys, and the daemon's own end, are for whose machine it is: no key can make another one
Owner: TypeAlias = Literal["owner"]
# who asks; the runtime is none where all of them are meant, and empty where none of them is
Guard: TypeAlias = "Callable[[HTTPConnection, Scope | Owner, str | None], str]"


def of_socket(key: str, is_of_instance: Callable[[int], bool]) -> Guard:
    """The socket's permissions let only this user in, and the key only who can read this user's files. An instance is of
    this user, and where the kernel does not hide those files from it, it is known by its process.
    """

    def check(connection: HTTPConnection, scope: Scope | Owner, runtime: str | None) -> str:
        if is_of_instance(pid_of(connection)):
            raise PermissionDenied(
                "An instance may not command its platform.",
                hint="AGENTRUN_PLATFORM_LISTEN is open to it, with a key that was made for it.",
            )
        if not compare_digest(_sent(connection).encode(), key.encode()):
            raise Unauthorized(
                "The platform's socket asks for its key.",
                hint="It is in daemon.key beside the socket, and new for each daemon.",
            )
        return getpass.getuser()

    return check


def of_keys(keys: Keys) -> Guard:
    """For an address that others reach too."""

    def check(connection: HTTPConnection, scope: Scope | Owner, runtime: str | None) -> str:
        if connection.headers.get("origin") is not None:
            raise PermissionDenied("The control API is not for pages of other origins.")
        if scope == "owner":
            raise PermissionDenied(
                "This is done on the platform's own machine only.", hint="Run it there, without -a."
            )
        return keys.check(_sent(connection) or None, scope, runtime).name

    return check


def _sent(connection: HTTPConnection) -> str:
    scheme, _, text = connection.headers.get("authorization", "").partition(" ")
    return text.strip() if scheme.lower() == "bearer" else ""


def of_callers(keys: Keys, host: str) -> Callable[[str | None, str], Caller]:
    """Who may call agents: on loopback everyone, elsewhere those with a key."""
    public = not _is_loopback(host)

    def admit(text: str | None, runtime: str) -> Caller:
        if not public and (text is None or not keys.knows(text)):
            return Caller()
        key = keys.check(text, "invoke", runtime)
        return Caller(key.name, key.trusted)

    return admit


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
