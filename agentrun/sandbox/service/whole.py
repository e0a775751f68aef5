"""Routes: the sandbox as a whole: what it uses, how it is held in, pausing, its files as a tar, and holding on to it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, Field

from agentrun.sandbox.sandbox import Sandbox
from agentrun.sandbox.service import door, lines
from agentrun.sandbox.service.boxes import Boxes
from agentrun.sandbox.service.callers import Owner
from agentrun.sandbox.service.pieces import begun

_BEAT_S = 10.0
_TAR: dict[str, Any] = {"application/x-tar": {"schema": {"type": "string", "format": "binary"}}}


class MetricsView(BaseModel):
    """What a sandbox uses of what it may."""

    cpu_s: float
    memory_bytes: int
    memory_limit_bytes: int
    disk_bytes: int
    disk_limit_bytes: int
    processes: int
    processes_limit: int


class IsolationView(BaseModel):
    """What holds a sandbox in."""

    level: str = Field(description="none, namespaces or virtual.")
    backend: str
    limits: dict[str, str] = Field(description="How each limit is kept.")


class Beat(BaseModel):
    """One line of /hold: it is there, or why it has ended."""

    ended: str | None


def routes(boxes: Boxes) -> APIRouter:
    """Measure, describe, pause, resume, pack, unpack, hold."""
    router = APIRouter(prefix="/sandboxes/{id}", tags=["whole"])

    @router.get("/metrics")
    async def metrics(id: str, owner: Owner) -> MetricsView:
        """What it uses now, and what it may."""
        return MetricsView.model_validate(await boxes.get(id, owner).metrics(), from_attributes=True)

    @router.get("/isolation")
    async def isolation(id: str, owner: Owner) -> IsolationView:
        """What holds it in, and how each limit is kept."""
        return IsolationView.model_validate(boxes.get(id, owner).isolation, from_attributes=True)

    @router.post("/pause", status_code=204)
    async def pause(id: str, owner: Owner) -> Response:
        """Stop all that runs in it, where it stands; files stay reachable."""
        await boxes.get(id, owner).pause()
        return Response(status_code=204)

    @router.post("/resume", status_code=204)
    async def resume(id: str, owner: Owner) -> Response:
        """Let it go on."""
        await boxes.get(id, owner).resume()
        return Response(status_code=204)

    @router.get("/snapshot", responses={200: {"content": _TAR}}, response_class=StreamingResponse)
    async def snapshot(id: str, owner: Owner) -> StreamingResponse:
        """Its working folder as a tar."""
        pieces = await begun(boxes.get(id, owner).snapshot())
        return StreamingResponse(pieces, media_type="application/x-tar")

    @router.put(
        "/snapshot", status_code=204, openapi_extra={"requestBody": {"required": True, "content": _TAR}}
    )
    async def restore(id: str, owner: Owner, request: Request) -> Response:
        """Unpack a tar into its working folder."""
        box = boxes.get(id, owner)
        door.unbound(request)
        await box.restore(request.stream())
        return Response(status_code=204)

    @router.get("/hold", responses=lines.described(Beat), response_class=lines.Lines)
    async def hold(
        id: str, owner: Owner, beat: Annotated[float, Query(ge=0.1, le=60)] = _BEAT_S
    ) -> lines.Lines:
        """A line every `beat` seconds until it has ended. Who hangs up before ends it."""
        return lines.answer(_held(boxes, boxes.get(id, owner), beat))

    return router


async def _held(boxes: Boxes, box: Sandbox, beat_s: float) -> AsyncGenerator[dict[str, Any]]:
    ending = asyncio.create_task(box.wait())
    try:
        while not ending.done():
            yield {"ended": None}
            await asyncio.wait({ending}, timeout=beat_s)
        yield {"ended": ending.result()}
    finally:
        # nothing can be awaited here: who hung up has cancelled it all
        ending.cancel()
        boxes.close_soon(box)
