"""What does not start a Run: health, models, and Runs to look at, to follow and to stop."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Literal

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from agentrun.errors import NotFound
from agentrun.events import AnyEvent, PartDelta, RunFailed, RunFinished, Usage
from agentrun.ledger import Cost
from agentrun.protocols import index_of
from agentrun.run import Run, Runs
from agentrun.server.answer import Replay
from agentrun.server.auth import Keys
from agentrun.server.catalog import Catalog, Model, ModelList
from agentrun.server.http import RawHeaders, Receive, Scope, Send
from agentrun.server.pipe import AsgiPipe
from agentrun.utils.json import dumps

Handler = Callable[[Request], Awaitable[Any]]
# An artifact is what code nobody trusts has made: a browser may show it, but run nothing that is in it.
_SHOWN = ("image/png", "image/jpeg", "image/gif", "image/webp", "image/svg+xml")
_UNTRUSTED = {
    "content-security-policy": "sandbox; default-src 'none'; style-src 'unsafe-inline'",
    "x-content-type-options": "nosniff",
}


class Health(msgspec.Struct):
    """Whether the server lives, or takes Runs."""

    status: Literal["ok", "ready", "draining"]


class RunView(msgspec.Struct, kw_only=True):
    """A Run as others see it. Times are seconds since the epoch."""

    id: str
    object: Literal["run"] = "run"
    status: Literal["running", "completed", "cancelled", "failed"]
    created: float
    first_output: float | None
    finished: float | None
    request_id: str
    model: str | None
    session_id: str | None
    ending: RunFinished | RunFailed | None
    usage: Usage | None
    cost: Cost | None
    text: str


class RunDetail(RunView, kw_only=True):
    """A Run with its events; neighbouring deltas of a part come as one."""

    events: list[AnyEvent]


class RunList(msgspec.Struct):
    """Runs, newest first."""

    data: list[RunView]
    object: Literal["list"] = "list"


class Resource(msgspec.Struct, frozen=True, kw_only=True):
    """A path, what it does, and what it answers with."""

    path: str
    handler: Handler
    summary: str
    answer: type[Any]
    method: str = "GET"
    status: int = 200
    streams: bool = False
    media_type: str | None = None  # of what is no JSON
    secured: bool = True


class Resources:
    """The handlers, and the table that routes and OpenAPI are made of."""

    def __init__(
        self,
        runs: Runs,
        keys: Keys,
        catalog: Catalog,
        prefixes: tuple[str, ...],
    ) -> None:
        self._runs = runs
        self._keys = keys
        self._catalog = catalog
        run = "/runs/{run_id}"
        self.table = [
            Resource(
                path="/health",
                handler=self._live,
                summary="Does the server live?",
                answer=Health,
                secured=False,
            ),
            Resource(path="/healthz", handler=self._live, summary="The same", answer=Health, secured=False),
            Resource(
                path="/readyz",
                handler=self._ready,
                summary="Does it take Runs?",
                answer=Health,
                secured=False,
            ),
            Resource(path="/runs", handler=self._list_runs, summary="Your Runs", answer=RunList),
            Resource(path=run, handler=self._get_run, summary="A Run and its events", answer=RunDetail),
            Resource(
                path=run,
                handler=self._cancel,
                summary="Stop a Run",
                answer=RunView,
                method="POST",
                status=202,
            ),
            Resource(
                path=f"{run}/cancel",
                handler=self._cancel,
                summary="The same",
                answer=RunView,
                method="POST",
                status=202,
            ),
            Resource(
                path=f"{run}/events",
                handler=self._follow,
                summary="A Run's events as they come; `after` or `Last-Event-ID` goes on after an index",
                answer=AnyEvent,  # type: ignore[arg-type]
                streams=True,
            ),
            Resource(
                path=f"{run}/artifacts/{{name}}",
                handler=self._artifact,
                summary="What a tool of a Run has made, such as a plot",
                answer=bytes,
                media_type="application/octet-stream",
            ),
        ]
        for prefix in prefixes:
            self.table += [
                Resource(path=f"{prefix}/models", handler=self._models, summary="Models", answer=ModelList),
                Resource(
                    path=f"{prefix}/models/{{name:path}}",
                    handler=self._model,
                    summary="A model",
                    answer=Model,
                ),
            ]

    def routes(self) -> list[Route]:
        """For the app's router."""
        return [_route(resource) for resource in self.table]

    async def _live(self, _: Request) -> Health:
        return Health("ok")

    async def _ready(self, _: Request) -> Response:
        draining = self._runs.draining
        return _json(Health("draining" if draining else "ready"), 503 if draining else 200)

    async def _models(self, request: Request) -> ModelList:
        self._keys.owner(request.headers)
        return self._catalog.list()

    async def _model(self, request: Request) -> Model:
        self._keys.owner(request.headers)
        return self._catalog.get(request.path_params["name"])

    async def _list_runs(self, request: Request) -> RunList:
        owner = self._keys.owner(request.headers)
        return RunList([RunView(**_view(run)) for run in self._runs.list(owner)])

    async def _get_run(self, request: Request) -> RunDetail:
        run = self._find(request)
        return RunDetail(**_view(run), events=run.log.since(0))

    async def _cancel(self, request: Request) -> RunView:
        run = self._find(request)
        run.cancel()
        return RunView(**_view(run))

    async def _follow(self, request: Request) -> Response:
        run = self._find(request)
        last = request.headers.get("last-event-id") or request.query_params.get("after") or "-1"
        return EventStream(run, index_of(last, "after"))

    async def _artifact(self, request: Request) -> Response:
        run, name = self._find(request), request.path_params["name"]
        artifact = self._runs.artifacts.get(run.id, name)
        if artifact is None:
            raise NotFound(
                f"{run.id} has no artifact {name!r}.", hint="They are kept for a while, in memory."
            )
        shown = artifact.media_type in _SHOWN
        headers = {**_UNTRUSTED, "content-disposition": "inline" if shown else "attachment"}
        return Response(artifact.data, 200, headers, artifact.media_type)

    def _find(self, request: Request) -> Run:
        run_id: str = request.path_params["run_id"]
        run = self._runs.get(run_id, self._keys.owner(request.headers))
        if run is None:
            raise NotFound(
                f"There is no run {run_id!r}.", hint="Runs are forgotten some time after their end."
            )
        return run


class EventStream(Response):
    """A Run's own events over SSE, numbered by their index."""

    def __init__(self, run: Run, after: int) -> None:
        super().__init__()
        self._run = run
        self._after = after

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers: RawHeaders = [(b"x-run-id", self._run.id.encode())]
        media_type = "text/event-stream; charset=utf-8"
        pipe = AsgiPipe(receive, send)
        Replay(self._run, _frame, b": ping\n\n", self._after, pipe, headers, media_type).begin()
        await pipe.pump()


def _frame(index: int, event: AnyEvent) -> bytes:
    kind: str = event.__struct_config__.tag  # type: ignore[assignment]
    return b"id: %d\nevent: %s\ndata: %s\n\n" % (index, kind.encode(), dumps(event))


def _route(resource: Resource) -> Route:
    async def handle(request: Request) -> Response:
        answer = await resource.handler(request)
        return answer if isinstance(answer, Response) else _json(answer, resource.status)

    return Route(resource.path, handle, methods=[resource.method], include_in_schema=False)


def _json(body: object, status: int = 200) -> Response:
    return Response(dumps(body), status, media_type="application/json")


def _view(run: Run) -> dict[str, Any]:
    text = "".join(
        event.text for event in run.log.since(0) if isinstance(event, PartDelta) and event.kind == "text"
    )
    return {
        "id": run.id,
        "status": run.status,
        "created": run.created,
        "first_output": run.first_output,
        "finished": run.finished,
        "request_id": run.request_id,
        "model": run.request.model,
        "session_id": run.request.session_id,
        "ending": run.ending,
        "usage": run.usage,
        "cost": None if run.ledger is None else run.ledger.cost,
        "text": text,
    }
