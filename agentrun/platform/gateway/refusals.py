"""Answers of the gateway's own, where no instance gives one."""

from __future__ import annotations

from http import HTTPStatus

from agentrun.errors import AgentRunError, RequestError
from agentrun.protocols.openai_errors import error_body
from agentrun.utils.json import dumps


class InstanceLost(RequestError):
    """An instance ended, or said nothing sensible, before it answered."""

    code = "instance_lost"
    status = 502


class InstanceSilent(RequestError):
    """An instance did not answer in time."""

    code = "instance_timeout"
    status = 504


def refusal(error: AgentRunError, request_id: str, *, close: bool) -> bytes:
    """The whole answer."""
    headers = {**getattr(error, "headers", {}), "x-request-id": request_id}
    if close:
        headers["connection"] = "close"
    return whole(error.status, dumps({"error": error_body(error)}), headers)


def whole(status: int, body: bytes, headers: dict[str, str]) -> bytes:
    """An answer with a JSON body."""
    lines = [f"HTTP/1.1 {status} {HTTPStatus(status).phrase}", "content-type: application/json"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    lines.append(f"content-length: {len(body)}")
    return "\r\n".join(lines).encode("latin-1", "replace") + b"\r\n\r\n" + body


def broken_off(request_id: str) -> bytes:
    """The last event of a stream whose instance has gone, and the stream's end."""
    message = "The instance that was answering has ended."
    body = {**error_body(InstanceLost(message)), "request_id": request_id}
    event = b"event: error\ndata: " + dumps({"error": body}) + b"\n\n"
    return b"%x\r\n%b\r\n0\r\n\r\n" % (len(event), event)
