"""What is not a Run's answer: health, models, and Runs to look at and to stop."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from agentrun.config import Settings
from agentrun.errors import NotFound
from agentrun.protocols.openai_chat import unknown_model
from agentrun.run import Run, Runs
from agentrun.server.auth import Keys
from agentrun.utils.json import dumps

_MODELS_SINCE = 1_735_689_600


def _json(body: object, status: int = 200) -> Response:
    return Response(dumps(body), status, media_type="application/json")


def resource_routes(runs: Runs, keys: Keys, settings: Settings) -> list[BaseRoute]:
    """The routes of this file."""

    async def live(_: Request) -> Response:
        return _json({"status": "ok"})

    async def ready(_: Request) -> Response:
        return _json({"status": "draining"}, 503) if runs.draining else _json({"status": "ready"})

    async def list_models(request: Request) -> Response:
        keys.owner(request.headers)
        return _json({"object": "list", "data": [_model(name) for name in settings.models]})

    async def get_model(request: Request) -> Response:
        keys.owner(request.headers)
        name = request.path_params["name"]
        if name not in settings.models:
            raise unknown_model(name, settings.models)
        return _json(_model(name))

    def find(request: Request) -> Run:
        run_id = request.path_params["run_id"]
        run = runs.get(run_id, keys.owner(request.headers))
        if run is None:
            raise NotFound(
                f"There is no run {run_id!r}.", hint="Runs are forgotten some time after their end."
            )
        return run

    async def list_runs(request: Request) -> Response:
        return _json(
            {"object": "list", "data": [_run(run) for run in runs.list(keys.owner(request.headers))]}
        )

    async def get_run(request: Request) -> Response:
        run = find(request)
        return _json({**_run(run), "events": run.log.since(0)})

    async def cancel_run(request: Request) -> Response:
        run = find(request)
        run.cancel()
        return _json(_run(run), 202)

    routes: list[BaseRoute] = [
        Route("/health", live),
        Route("/healthz", live),
        Route("/readyz", ready),
        Route("/runs", list_runs),
        Route("/runs/{run_id}", get_run),
        Route("/runs/{run_id}/cancel", cancel_run, methods=["POST"]),
    ]
    for prefix in dict.fromkeys((settings.prefix, "/v1")):
        routes += [Route(prefix + "/models", list_models), Route(prefix + "/models/{name:path}", get_model)]
    return routes


def _model(name: str) -> dict[str, Any]:
    return {"id": name, "object": "model", "created": _MODELS_SINCE, "owned_by": "agentrun"}


def _run(run: Run) -> dict[str, Any]:
    return {
        "id": run.id,
        "object": "run",
        "status": run.status,
        "created": run.created,
        "first_output": run.first_output,
        "finished": run.finished,
        "ending": run.ending,
        "usage": run.usage,
        "text": run.text,
    }
