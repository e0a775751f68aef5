"""Config: how the original SDK's users say which account they have and how long they wait."""

from __future__ import annotations

from typing import Any

import msgspec


class Config(msgspec.Struct, kw_only=True, frozen=True):
    """`model(name, config=Config(timeout=180))`. Of these only `timeout` and `headers` mean something here:

    there is no account, and what is called by name is where agentrun.yaml says.
    """

    access_key_id: str | None = None
    access_key_secret: str | None = None
    security_token: str | None = None
    account_id: str | None = None
    token: str | None = None
    region_id: str | None = None
    timeout: float | None = None
    read_timeout: float | None = None
    control_endpoint: str | None = None
    data_endpoint: str | None = None
    devs_endpoint: str | None = None
    bailian_endpoint: str | None = None
    use_vpc_endpoint: bool | None = None
    headers: dict[str, str] | None = None

    def arguments(self) -> dict[str, Any]:
        """The same in the words of agentrun.yaml."""
        said = {"timeout_s": self.timeout, "headers": self.headers}
        return {name: value for name, value in said.items() if value is not None}

    def __repr__(self) -> str:  # the fields hold secrets
        return "<Config>"
