"""Which addresses are out on the internet, and which are not for others to name."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

_NAT64 = ip_network("64:ff9b::/96")
_LOCAL_NAT64 = ip_network("64:ff9b:1::/48")
# public by its number, and yet a machine's own metadata
_METADATA = (IPv4Address("168.63.129.16"),)


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
