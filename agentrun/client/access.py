"""Access: where a platform is, and what one gets in with."""

from __future__ import annotations

from pathlib import Path

import httpx
import msgspec

_CONNECT_S = 10.0


class Access(msgspec.Struct, frozen=True):
    """A Unix socket of this machine, or a URL and a key."""

    socket: Path | None = None
    url: str = "http://platform"
    key: str | None = None

    @property
    def headers(self) -> dict[str, str]:
        return {"authorization": f"Bearer {self.key}"} if self.key else {}

    def http(self) -> httpx.AsyncClient:
        """A client of it. What the platform does may take long, so only connecting has a limit."""
        transport = httpx.AsyncHTTPTransport(uds=str(self.socket)) if self.socket else None
        return httpx.AsyncClient(
            base_url=self.url,
            headers=self.headers,
            transport=transport,
            timeout=httpx.Timeout(None, connect=_CONNECT_S),
            trust_env=self.socket is None,
        )

    def __repr__(self) -> str:
        return f"Access({self.socket or self.url})"
