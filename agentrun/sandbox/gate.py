"""Who may be talked to: decisions about names, addresses and first bytes. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

_USUAL_PORTS = (80, 443)
_NAT64 = ip_network("64:ff9b::/96")
_LOCAL_NAT64 = ip_network("64:ff9b:1::/48")
# public by its number, and yet a machine's own metadata
_METADATA = (IPv4Address("168.63.129.16"),)
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


def is_public(address: str) -> bool:
    """Whether an address is out on the internet, whatever form it is written in."""
    try:
        found = ip_address(address.partition("%")[0])
    except ValueError:
        return False
    if isinstance(found, IPv6Address):
        inner = _inside(found)
        if inner is not None:
            return is_public(str(inner))
        if found in _LOCAL_NAT64:
            return False
    return found.is_global and not found.is_multicast and not found.is_reserved and found not in _METADATA


def _inside(address: IPv6Address) -> IPv4Address | None:
    """The IPv4 address that an IPv6 one stands for."""
    if address.ipv4_mapped is not None:
        return address.ipv4_mapped
    if address.sixtofour is not None:
        return address.sixtofour
    if address.teredo is not None:
        return IPv4Address("0.0.0.0")  # tunnels are never taken
    return IPv4Address(int(address) & 0xFFFFFFFF) if address in _NAT64 else None


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
