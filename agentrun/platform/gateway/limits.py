"""What the gateway takes from its callers."""

from __future__ import annotations

import msgspec


class GatewayLimits(msgspec.Struct, frozen=True):
    """Sizes and times."""

    head_bytes: int = 65_536
    body_bytes: int = 50_000_000
    head_s: float = 30.0  # for a head to come in
    body_s: float = 60.0  # of silence in a body
    silence_s: float = 900.0  # of an instance
    keep_alive_s: float = 75.0
    connections: int = 20_000
    held_bytes: int = 262_144  # of a body, while there is no instance yet
    reuse_s: float = 2.0  # a connection to an instance, after its last answer; servers close theirs after 5 s
