"""Who may be talked to: decisions about names and first bytes. Pure."""

from __future__ import annotations

from collections.abc import Sequence

_USUAL_PORTS = (80, 443)
_HANDSHAKE, _HELLO = 22, 1


def allows(hosts: Sequence[str], name: str, port: int) -> bool:
    """Whether one of the entries stands for this host and port. An address is no name, and never allowed."""
    name = name.lower().rstrip(".")
    if not name or _is_address(name):
        return False
    return any(_matches(entry.lower(), name, port) for entry in hosts)


def _matches(entry: str, name: str, port: int) -> bool:
    pattern, colon, wanted = entry.partition(":")
    if port not in ((int(wanted),) if colon and wanted.isdigit() else _USUAL_PORTS):
        return False
    if pattern == "*":
        return "." in name
    if pattern.startswith("*."):
        return name.endswith(pattern[1:])
    return name == pattern


def _is_address(name: str) -> bool:
    """Also those that only the C library takes for one: 127.1, 0x7f000001, 2130706433."""
    last = name.strip("[]").rpartition(".")[2]
    return ":" in name or last.isdigit() or last.startswith("0x")


def server_name(hello: bytes) -> str | None:
    """The name that a TLS client asks for in its first message; None if it asks for none, or this is no TLS."""
    try:
        return _server_name(hello)
    except (IndexError, UnicodeDecodeError):
        return None


def hello_size(start: bytes) -> int | None:
    """How long the first message is, from its first five bytes; None if this is no TLS."""
    if len(start) < 5 or start[0] != _HANDSHAKE or start[1] != 3:
        return None
    return 5 + int.from_bytes(start[3:5], "big")


def _server_name(hello: bytes) -> str | None:
    if hello_size(hello) is None or hello[5] != _HELLO:
        return None
    at = 5 + 4 + 2 + 32
    at += 1 + hello[at]  # session
    at += 2 + int.from_bytes(hello[at : at + 2], "big")  # ciphers
    at += 1 + hello[at]  # compressions
    end = at + 2 + int.from_bytes(hello[at : at + 2], "big")
    at += 2
    while at + 4 <= min(end, len(hello)):
        kind, size = int.from_bytes(hello[at : at + 2], "big"), int.from_bytes(hello[at + 2 : at + 4], "big")
        if kind == 0:
            length = int.from_bytes(hello[at + 7 : at + 9], "big")
            return hello[at + 9 : at + 9 + length].decode("ascii").lower()
        at += 4 + size
    return None
