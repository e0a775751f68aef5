"""Record: what is written down of each request. No content, no query, no headers."""

from __future__ import annotations

import msgspec


class Record(msgspec.Struct, omit_defaults=True):
    """One request at the gateway, from its head to its last byte."""

    request: str
    runtime: str
    version: int = 0
    endpoint: str = ""
    instance: str = ""
    method: str = ""
    path: str = ""
    status: int = 0  # 0: the client went before there was one
    first_byte_ms: float = 0.0
    ms: float = 0.0
    sent: int = 0  # bytes to the client
    caller: str = ""
    error: str = ""

    @property
    def failed(self) -> bool:
        """Not as the caller wanted it: refused, broken off, or an error of the instance."""
        return self.status >= 400 or bool(self.error)
