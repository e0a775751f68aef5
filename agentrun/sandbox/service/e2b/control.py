"""E2B's control plane: sandboxes made, found, kept, paused, copied and ended."""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from collections.abc import Iterable, Sequence
from typing import Any
from urllib.parse import parse_qsl

from pydantic import Field
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from agentrun.errors import AgentRunError, Conflict, NotFound, RequestError
from agentrun.sandbox.service.boxes import Boxes, Held
from agentrun.sandbox.service.callers import Callers
from agentrun.sandbox.service.e2b.answers import Wish, message_of, read, refusal, status_of
from agentrun.sandbox.service.e2b.leases import Lease, Leases
from agentrun.sandbox.service.hosts import domain
from agentrun.sandbox.service.sandboxes import iso
from agentrun.sandbox.service.snapshots import Snapshot, Snapshots, pieces
from agentrun.sandbox.service.templates import Made

ENVD_VERSION = "0.6.1"  # by which the clients tell what a sandbox can do
_TIMEOUT_S, _LONGEST_S = 300.0, 86_400.0
# what E2B's clients ask for when nothing is said
_USUAL = {"base": "python", "code-interpreter-v1": "python"}
_MOST_FORKS, _MOST_KEYS = 20, 1000


class _Resume(Wish):
    enabled: bool = False


class _New(Wish):
    templateID: str
    timeout: float = Field(_TIMEOUT_S, gt=0, le=_LONGEST_S)
    autoPause: bool | None = None
    autoResume: _Resume | None = None
    metadata: dict[str, str] | None = None
    envVars: dict[str, str] | None = None
    allow_internet_access: bool | None = None
    network: dict[str, Any] | None = None
    mcp: dict[str, Any] | None = None
    iam: dict[str, Any] | None = None
    volumeMounts: list[Any] | None = None


class _Timeout(Wish):
    timeout: float | None = Field(None, ge=0, le=_LONGEST_S)


class _Fork(_Timeout):
    count: int = Field(1, ge=1, le=_MOST_FORKS)


class _Snapshot(Wish):
    name: str | None = None
    memory: bool | None = None


class Control:
    """The routes, and what they act upon."""

    def __init__(self, boxes: Boxes, callers: Callers, leases: Leases, snapshots: Snapshots) -> None:
        self._boxes = boxes
        self._callers = callers
        self._leases = leases
        self._snapshots = snapshots
        self._made: OrderedDict[tuple[str, str], asyncio.Future[Lease]] = OrderedDict()

    def routes(self) -> list[Route]:
        one = "/sandboxes/{id}"
        return [
            Route("/v2/sandboxes", self.create, methods=["POST"]),
            Route("/sandboxes", self.create, methods=["POST"]),
            Route("/v2/sandboxes", self.list, methods=["GET"]),
            Route("/sandboxes", self.list, methods=["GET"]),
            Route(one, self.info, methods=["GET"]),
            Route(one, self.kill, methods=["DELETE"]),
            Route(f"/v2{one}/connect", self.connect, methods=["POST"]),
            Route(f"{one}/connect", self.connect, methods=["POST"]),
            Route(f"{one}/resume", self.connect, methods=["POST"]),
            Route(f"{one}/timeout", self.timeout, methods=["POST"]),
            Route(f"{one}/refreshes", self.timeout, methods=["POST"]),
            Route(f"{one}/pause", self.pause, methods=["POST"]),
            Route(f"{one}/metrics", self.metrics, methods=["GET"]),
            Route(f"{one}/fork", self.fork, methods=["POST"]),
            Route(f"{one}/snapshots", self.snapshot, methods=["POST"]),
            Route("/snapshots", self.snapshots, methods=["GET"]),
            Route("/templates/{id:path}", self.forget_snapshot, methods=["DELETE"]),
        ]

    # --- from nothing, and to nothing

    async def create(self, request: Request) -> Response:
        owner = await self._callers.owner(request)
        wish = await read(request, _New)
        key = request.headers.get("idempotency-key")
        if key is None:
            lease = await self._create(owner, wish)
        else:
            lease = await self._once((owner, key), owner, wish)
        return JSONResponse(_made(lease, request), 201)

    async def _once(self, key: tuple[str, str], owner: str, wish: _New) -> Lease:
        """The same request asked again, as after an answer that was lost, makes no second sandbox."""
        making = self._made.get(key)
        if making is None:
            making = self._made[key] = asyncio.ensure_future(self._create(owner, wish))
            making.add_done_callback(lambda made: made.exception() and self._made.pop(key, None))
            if len(self._made) > _MOST_KEYS:
                self._made.popitem(last=False)
        return await asyncio.shield(making)

    async def _create(self, owner: str, wish: _New) -> Lease:
        _check_supported(wish)
        changes: dict[str, Any] = {"idle_timeout_s": _LONGEST_S}
        if wish.allow_internet_access is False:
            changes["network"] = {}
        snapshot = self._snapshots.find(wish.templateID, owner)
        if snapshot is None:
            made = self._template(wish.templateID.partition(":")[0], owner)
            name, recipe = made.name, made.template
        else:
            name, recipe = snapshot.template, snapshot.recipe
        if wish.allow_internet_access and "*" not in recipe.network.allow:
            raise RequestError(
                f"The template {name} does not allow the whole internet, and a client cannot change that.",
                hint="Whoever runs the service can: network: {allow: ['*']} in its template.",
            )
        box = await self._boxes.create(
            name if snapshot is None else recipe,
            name=name,
            owner=owner,
            metadata=wish.metadata,
            env=wish.envVars,
            snapshot=None if snapshot is None else pieces(snapshot),
            **changes,
        )
        held = self._boxes.held(box.id, owner)
        wakes = wish.autoResume is not None and wish.autoResume.enabled
        return self._leases.add(held, wish.timeout, "pause" if wish.autoPause else "kill", wakes)

    def _template(self, name: str, owner: str) -> Made:
        """The one of that name, or the usual one under E2B's names for it."""
        known = self._boxes.templates
        try:
            return known.get(name, owner)
        except NotFound:
            if name not in _USUAL:
                raise
            return known.get(_USUAL[name], owner)

    async def kill(self, request: Request) -> Response:
        lease = await self._lease(request)
        await self._boxes.forget(lease.id, lease.held.owner)
        return Response(status_code=204)

    # --- what there is

    async def list(self, request: Request) -> Response:
        owner = await self._callers.owner(request)
        query = request.query_params
        running = [held for held in self._boxes.all_held(owner) if held.box.ended is None]
        views = [_view(held, self._leases.known(held)) for held in running]
        found = _filtered(views, query.get("state"), query.get("metadata"), query.get("template"))
        found.sort(key=lambda view: view["startedAt"], reverse=query.get("order") != "asc")
        at, most = _number(query.get("nextToken"), 0), _number(query.get("limit"), 100)
        page = found[at : at + most]
        more = {"x-next-token": str(at + most)} if at + most < len(found) else {}
        return JSONResponse(page, headers={"x-total-running": str(len(running)), **more})

    async def info(self, request: Request) -> Response:
        lease = await self._lease(request)
        secret = {"envdAccessToken": lease.token, "domain": domain(request.headers.get("host", ""))}
        network = bool(lease.box.template.network.hosts)
        return JSONResponse({**_view(lease.held, lease), **secret, "allowInternetAccess": network})

    async def metrics(self, request: Request) -> Response:
        lease = await self._lease(request)
        used, now = await lease.box.metrics(), time.time()
        limits = lease.box.template.limits
        before, cpu_s = lease.measured or (lease.held.created_s, 0.0)
        lease.measured = (now, used.cpu_s)
        share = (used.cpu_s - cpu_s) / max(now - before, 0.001)
        said = {
            "timestamp": iso(now),
            "timestampUnix": int(now),
            "cpuCount": max(int(limits.cpu), 1),
            "cpuUsedPct": round(100 * share, 2),
            "memUsed": used.memory_bytes,
            "memTotal": used.memory_limit_bytes,
            "memCache": 0,
            "diskUsed": used.disk_bytes,
            "diskTotal": used.disk_limit_bytes,
        }
        return JSONResponse([said])

    # --- how long, and whether it rests

    async def timeout(self, request: Request) -> Response:
        lease = await self._lease(request)
        lease.keep((await read(request, _Timeout)).timeout or 0)
        return Response(status_code=204)

    async def connect(self, request: Request) -> Response:
        lease = await self._lease(request)
        was_paused = lease.paused
        await lease.resume((await read(request, _Timeout)).timeout)
        return JSONResponse(_made(lease, request), 201 if was_paused else 200)

    async def pause(self, request: Request) -> Response:
        lease = await self._lease(request)
        await lease.pause()
        return Response(status_code=204)

    # --- copies: of files, for the memory of processes cannot be copied

    async def fork(self, request: Request) -> Response:
        lease = await self._lease(request)
        wish = await read(request, _Fork)
        _check_nothing_lost(lease)
        snapshot = await self._take(lease, None)
        try:
            timeout_s = wish.timeout or _TIMEOUT_S
            each = [self._forked(lease, snapshot, timeout_s, request) for _ in range(wish.count)]
            return JSONResponse(await asyncio.gather(*each), 201)
        finally:
            self._snapshots.remove(snapshot.id, snapshot.owner)

    async def _forked(
        self, lease: Lease, snapshot: Snapshot, timeout_s: float, request: Request
    ) -> dict[str, Any]:
        wish = _New(templateID=snapshot.id, timeout=timeout_s, metadata=dict(lease.held.metadata))
        try:
            return {"sandbox": _made(await self._create(lease.held.owner, wish), request)}
        except AgentRunError as error:
            return {"error": {"code": status_of(error), "message": message_of(error)}}

    async def snapshot(self, request: Request) -> Response:
        lease = await self._lease(request)
        wish = await read(request, _Snapshot)
        if wish.memory is not False:
            _check_nothing_lost(lease)
        return JSONResponse(_snapshot(await self._take(lease, wish.name)), 201)

    async def _take(self, lease: Lease, name: str | None) -> Snapshot:
        async with lease.turn:
            return await self._snapshots.take(lease.box, lease.held.template, lease.held.owner, name)

    async def snapshots(self, request: Request) -> Response:
        owner = await self._callers.owner(request)
        return JSONResponse([_snapshot(one) for one in self._snapshots.list(owner)])

    async def forget_snapshot(self, request: Request) -> Response:
        owner = await self._callers.owner(request)
        try:
            self._snapshots.remove(request.path_params["id"], owner)
        except NotFound as error:
            return refusal(404, str(error))
        return Response(status_code=204)

    async def _lease(self, request: Request) -> Lease:
        """The sandbox of the path, if it is the caller's and runs."""
        owner = await self._callers.owner(request)
        id = request.path_params["id"]
        held = self._boxes.held(id, owner)
        if held.box.ended is not None:
            raise NotFound(f"The sandbox {id} was not found: {held.box.ended}.")
        return self._leases.of(held)


def _check_supported(wish: _New) -> None:
    asked = [name for name in ("network", "mcp", "iam", "volumeMounts") if getattr(wish, name)]
    if asked:
        raise RequestError(
            f"This service does not have {' and '.join(asked)} of E2B.",
            hint="What a sandbox may reach and what is mounted in it stands in its template.",
        )


def _check_nothing_lost(lease: Lease) -> None:
    """A copy that would silently lack what somebody counts on is not made."""
    if live := lease.live():
        raise Conflict(
            f"{lease.id} has {', '.join(live[:5])}: their memory cannot be copied, only files can.",
            hint="End them first, or take a snapshot with mode='filesystem'.",
        )


def _made(lease: Lease, request: Request) -> dict[str, Any]:
    return {
        "templateID": lease.held.template,
        "sandboxID": lease.id,
        "clientID": "agentrun",
        "envdVersion": ENVD_VERSION,
        "envdAccessToken": lease.token,
        "trafficAccessToken": lease.traffic_token,
        "domain": domain(request.headers.get("host", "")),
    }


def _view(held: Held, lease: Lease | None) -> dict[str, Any]:
    template = held.box.template
    end_s = held.created_s + template.max_life_s if lease is None else lease.end_s
    return {
        "templateID": held.template,
        "alias": held.template,
        "sandboxID": held.box.id,
        "clientID": "agentrun",
        "startedAt": iso(held.created_s),
        "endAt": iso(end_s),
        "cpuCount": max(int(template.limits.cpu), 1),
        "memoryMB": template.limits.memory_mb,
        "diskSizeMB": template.limits.disk_mb,
        "state": "paused" if lease is not None and lease.paused else "running",
        "envdVersion": ENVD_VERSION,
        "metadata": dict(held.metadata),
    }


def _snapshot(taken: Snapshot) -> dict[str, Any]:
    return {"snapshotID": taken.id, "names": [taken.name] if taken.name else []}


def _filtered(
    views: Iterable[dict[str, Any]], states: str | None, metadata: str | None, template: str | None
) -> list[dict[str, Any]]:
    wanted: Sequence[tuple[str, str]] = parse_qsl(metadata or "")
    kept = states.split(",") if states else ("running", "paused")
    return [
        view
        for view in views
        if view["state"] in kept
        and (template is None or view["templateID"] == template)
        and all(view["metadata"].get(name) == value for name, value in wanted)
    ]


def _number(text: str | None, otherwise: int) -> int:
    return int(text) if text is not None and text.isdigit() else otherwise
