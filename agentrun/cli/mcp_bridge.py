"""Bridge: MCP's messages from a line of text to a server's `/mcp`, and its answers back."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any, cast

import httpx

Message = dict[str, Any]
_META_VERSION = "io.modelcontextprotocol/protocolVersion"
_PARSE_ERROR, _INTERNAL_ERROR = -32700, -32603


class Bridge:
    """Passes each message on in a request of its own, so that none waits for another's answer."""

    def __init__(self, client: httpx.AsyncClient, url: str, write: Callable[[bytes], object]) -> None:
        self._client = client
        self._url = url
        self._write = write
        self._session: dict[str, str] = {}
        self._calls: dict[object, asyncio.Task[None]] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    def take(self, line: bytes) -> None:
        """One message of the client."""
        try:
            message = json.loads(line)
        except ValueError:
            message = None
        if not isinstance(message, dict):
            self._say(_failure(None, _PARSE_ERROR, "The line is not one JSON-RPC message."))
            return
        known = cast("Message", message)
        call = self._cancelled(known)
        if call is not None:
            call.cancel()  # closing its stream is how the server learns of it
            return
        task = asyncio.ensure_future(self._pass_on(known))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        if "id" in known and "method" in known:
            self._calls[known["id"]] = task
            task.add_done_callback(lambda _: self._calls.pop(known["id"], None))

    async def close(self) -> None:
        """The client has gone."""
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)
        if self._session:
            try:
                await self._client.delete(self._url, headers=self._session, timeout=2.0)
            except httpx.TransportError:
                pass  # it has ended as well

    def _cancelled(self, message: Message) -> asyncio.Task[None] | None:
        if message.get("method") != "notifications/cancelled":
            return None
        params = message.get("params")
        wanted: object = cast("Message", params).get("requestId") if isinstance(params, dict) else None
        return self._calls.get(wanted) if isinstance(wanted, (str, int)) else None

    async def _pass_on(self, message: Message) -> None:
        try:
            await self._post(message)
        except httpx.TransportError as error:
            if "id" in message:
                self._say(_failure(message["id"], _INTERNAL_ERROR, f"The agent's server is gone: {error}"))

    async def _post(self, message: Message) -> None:
        headers = {
            "accept": "application/json, text/event-stream",
            "content-type": "application/json",
            **self._session,
            **_routing(message),
        }
        async with self._client.stream(
            "POST", self._url, content=json.dumps(message), headers=headers
        ) as answer:
            if answer.headers.get("content-type", "").startswith("text/event-stream"):
                async for line in answer.aiter_lines():
                    if line.startswith("data:"):
                        self._say(json.loads(line[5:]))
                return
            body = await answer.aread()
            self._answered(message, answer, body)

    def _answered(self, message: Message, answer: httpx.Response, body: bytes) -> None:
        if "mcp-session-id" in answer.headers:
            version = json.loads(body)["result"]["protocolVersion"]
            self._session = {
                "mcp-session-id": answer.headers["mcp-session-id"],
                "mcp-protocol-version": version,
            }
        if "id" not in message or not body:
            return
        try:
            said: Message = json.loads(body)
        except ValueError:
            said = _failure(None, _INTERNAL_ERROR, f"The agent's server answered {answer.status_code}.")
        if said.get("id") is None:
            said["id"] = message["id"]  # an error of HTTP's, which knows no ids
        self._say(said)

    def _say(self, message: Message) -> None:
        self._write(json.dumps(message, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace"))


def _routing(message: Message) -> dict[str, str]:
    """What a request without a handshake has to say in its headers as well."""
    params = message.get("params")
    known = cast("Message", params) if isinstance(params, dict) else {}
    meta = known.get("_meta")
    version = cast("Message", meta).get(_META_VERSION) if isinstance(meta, dict) else None
    if not isinstance(version, str):
        return {}
    headers = {"mcp-protocol-version": version, "mcp-method": str(message.get("method"))}
    name = known.get("name")
    if isinstance(name, str) and name.isascii() and name.isprintable():
        headers["mcp-name"] = name
    return headers


def _failure(id: object, code: int, text: str) -> Message:
    return {"jsonrpc": "2.0", "id": id, "error": {"code": code, "message": text}}
