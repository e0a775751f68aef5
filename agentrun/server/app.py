"""AgentRunApp: a FastAPI app whose protocol routes skip the middleware stack while there is none of the user's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from fastapi import FastAPI
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from agentrun.errors import AgentRunError
from agentrun.protocols import Protocol
from agentrun.protocols.openai_errors import error_body
from agentrun.server import openapi
from agentrun.server.docs_page import page
from agentrun.server.endpoint import ProtocolEndpoint
from agentrun.server.http import ASGIApp, Headers, Receive, Scope, Send, request_id_of
from agentrun.server.resources import Resources
from agentrun.utils.json import dumps
from agentrun.version import __version__


class AgentRunApp(FastAPI):
    """See the module."""

    def __init__(
        self,
        endpoints: Mapping[str, ProtocolEndpoint],
        actions: Sequence[tuple[str, str, ASGIApp]],
        resources: Resources,
        protocols: Sequence[Protocol],
        prefixes: Sequence[str],
        *,
        secured: bool,
        lifespan: Any,
    ) -> None:
        super().__init__(
            title="AgentRun",
            version=__version__,
            redirect_slashes=False,
            lifespan=lifespan,
            docs_url=None,
            redoc_url=None,
        )
        plain = {path: endpoint for path, endpoint in endpoints.items() if "{" not in path}
        self._direct = plain
        self.direct = {path.encode(): endpoint for path, endpoint in plain.items()}  # for our own HTTP
        self._documented = lambda: [
            openapi.of_protocols(protocols, prefixes, secured=secured),
            openapi.of_resources(resources.table, secured=secured),
        ]
        for path, endpoint in endpoints.items():
            self.router.routes.append(Route(path, endpoint, include_in_schema=False))
        for method, path, endpoint in actions:
            self.router.routes.append(Route(path, endpoint, methods=[method], include_in_schema=False))
        self.router.routes += [*resources.routes(), Route("/docs", self._docs, include_in_schema=False)]
        self.add_exception_handler(HTTPException, _http_error)
        self.add_exception_handler(AgentRunError, _agentrun_error)
        self.add_exception_handler(Exception, _bug)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            if not self.user_middleware:
                endpoint = self._direct.get(_path(scope))
                if endpoint is not None:
                    await endpoint(scope, receive, send)
                    return
            send = _with_request_id(scope, send)
        await super().__call__(scope, receive, send)

    def openapi(self) -> dict[str, Any]:
        """The document, with the user's own routes."""
        if self.openapi_schema is None:
            self.openapi_schema = openapi.add_to(super().openapi(), self._documented())
        return self.openapi_schema

    async def _docs(self, request: Request) -> Response:
        return HTMLResponse(page(self.openapi(), str(request.base_url).rstrip("/")))


def _path(scope: Scope) -> str:
    """Below the app, wherever it is mounted."""
    root: str = scope.get("root_path", "")
    return scope["path"].removeprefix(root) if root else scope["path"]


def _with_request_id(scope: Scope, send: Send) -> Send:
    async def send_with_id(message: Any) -> None:
        if message["type"] == "http.response.start":
            headers = message.setdefault("headers", [])
            if not any(name == b"x-request-id" for name, _ in headers):
                request_id = request_id_of(Headers(scope["headers"]))
                message["headers"] = [*headers, (b"x-request-id", request_id.encode())]
        await send(message)

    return send_with_id


def error_response(error: AgentRunError) -> Response:
    """An error in OpenAI's shape."""
    headers: dict[str, str] = getattr(error, "headers", {})
    return Response(dumps({"error": error_body(error)}), error.status, headers, "application/json")


async def _http_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    known = AgentRunError(
        f"{request.method} {request.url.path}: {error.detail}.",
        code=str(error.detail).lower().replace(" ", "_"),
    )
    known.status = error.status_code
    response = error_response(known)
    response.headers.update(error.headers or {})
    return response


async def _agentrun_error(_: Request, error: Exception) -> Response:
    assert isinstance(error, AgentRunError)
    return error_response(error)


async def _bug(_: Request, error: Exception) -> Response:
    return error_response(
        AgentRunError(f"The server failed with {type(error).__name__}.", code="internal_error")
    )
