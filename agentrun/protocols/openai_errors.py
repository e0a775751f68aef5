"""Errors as OpenAI's clients read them, on every route that is no other protocol's."""

from __future__ import annotations

from agentrun.errors import AgentRunError

_TYPES = {401: "authentication_error", 403: "permission_error", 429: "rate_limit_error"}


def error_body(error: AgentRunError) -> dict[str, str | None]:
    """An error as OpenAI's clients read it."""
    kind = _TYPES.get(error.status, "invalid_request_error" if error.status < 500 else "server_error")
    return {"message": str(error), "type": kind, "param": getattr(error, "param", None), "code": error.code}
