"""Routes: copies of sandboxes. They are of files; what runs in a sandbox has memory that cannot be copied."""

from __future__ import annotations

import asyncio

from fastapi import APIRouter, Response
from pydantic import BaseModel, Field

from agentrun.sandbox.service.boxes import Boxes
from agentrun.sandbox.service.callers import Owner
from agentrun.sandbox.service.sandboxes import SandboxList, SandboxView, view
from agentrun.sandbox.service.snapshots import Snapshot, Snapshots, pieces

_MOST_FORKS = 20


class Fork(BaseModel):
    """How many copies are wanted."""

    count: int = Field(default=1, ge=1, le=_MOST_FORKS)


class NewSnapshot(BaseModel):
    """Which snapshot is wanted."""

    name: str | None = Field(default=None, description="A name of the caller's own; the latest of it counts.")


class SnapshotView(BaseModel):
    """The files of a sandbox at one time."""

    snapshotId: str
    templateName: str = Field(description="What a sandbox that begins with it is made of.")
    name: str | None
    size: int = Field(description="In bytes, as a tar.")


def routes(boxes: Boxes, snapshots: Snapshots) -> APIRouter:
    """Fork a sandbox; take, list, use and remove snapshots."""
    router = APIRouter(tags=["copies"])

    @router.post("/sandboxes/{id}/fork")
    async def fork(id: str, wish: Fork, owner: Owner) -> SandboxList:
        """Other sandboxes of the same template, with the files of this one and none of its variables."""
        held = boxes.held(id, owner)
        snapshot = await snapshots.take(held.box, held.template, owner)
        try:
            each = (begin(snapshot) for _ in range(wish.count))
            begun = await asyncio.gather(*each, return_exceptions=True)
        finally:
            snapshots.remove(snapshot.id, owner)
        made = [one for one in begun if isinstance(one, SandboxView)]
        for error in begun:
            if isinstance(error, BaseException):  # all of them, or none
                await asyncio.gather(*(boxes.forget(one.sandboxId, owner) for one in made))
                raise error
        return SandboxList(items=made)

    @router.post("/sandboxes/{id}/snapshots")
    async def take_snapshot(id: str, wish: NewSnapshot, owner: Owner) -> SnapshotView:
        """Keep the files of a sandbox, which rests meanwhile. They are kept until the service ends."""
        held = boxes.held(id, owner)
        return _view(await snapshots.take(held.box, held.template, owner, wish.name))

    @router.get("/snapshots")
    async def list_snapshots(owner: Owner) -> list[SnapshotView]:
        """The snapshots of this key."""
        return [_view(one) for one in snapshots.list(owner)]

    @router.post("/snapshots/{id}/sandboxes")
    async def create_from_snapshot(id: str, owner: Owner) -> SandboxView:
        """A sandbox that begins with these files."""
        return await begin(snapshots.get(id, owner))

    @router.delete("/snapshots/{id}", status_code=204)
    async def delete_snapshot(id: str, owner: Owner) -> Response:
        """Remove a snapshot. Sandboxes that began with it go on."""
        snapshots.remove(id, owner)
        return Response(status_code=204)

    async def begin(snapshot: Snapshot) -> SandboxView:
        box = await boxes.create(
            snapshot.recipe, owner=snapshot.owner, name=snapshot.template, snapshot=pieces(snapshot)
        )
        return view(boxes.held(box.id, snapshot.owner))

    return router


def _view(snapshot: Snapshot) -> SnapshotView:
    return SnapshotView(
        snapshotId=snapshot.id, templateName=snapshot.template, name=snapshot.name, size=snapshot.size
    )
