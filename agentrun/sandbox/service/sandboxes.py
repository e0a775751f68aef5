"""Routes: sandboxes themselves. Each answer has its fields twice, flat and under `data`, for clients and documents differ."""

from __future__ import annotations

import time
from datetime import datetime, timezone
from typing import Any

from fastapi import APIRouter, Request
from pydantic import BaseModel, Field

from agentrun.sandbox.service.boxes import Boxes, Held
from agentrun.sandbox.service.callers import Owner
from agentrun.sandbox.template import TemplateType


class Create(BaseModel):
    """Which sandbox is wanted."""

    templateName: str = "python"
    sandboxIdleTimeoutSeconds: float | None = Field(
        default=None, gt=0, description="Ended after this long unused."
    )
    sandboxId: str | None = Field(
        default=None, pattern=r"^[A-Za-z0-9_-]{1,128}$", description="A name of the caller's own."
    )
    metadata: dict[str, Any] = {}
    environmentVariables: dict[str, str] = {}


class SandboxView(BaseModel):
    """A sandbox."""

    sandboxId: str
    templateId: str
    templateName: str
    templateType: TemplateType
    status: str = Field(description="READY or TERMINATED.")
    sandboxIdleTimeoutInSeconds: float
    createdAt: str
    lastUpdatedAt: str
    endedAt: str | None
    metadata: dict[str, Any]


class SandboxAnswer(SandboxView):
    """A sandbox, and once more in the envelope that the original's Python client opens."""

    code: str = "SUCCESS"
    requestId: str
    data: SandboxView


class SandboxList(BaseModel):
    """The sandboxes of a key."""

    items: list[SandboxView]
    nextToken: str | None = None


class Health(BaseModel):
    """Whether a sandbox is there."""

    status: str = "ok"
    service: str = "sandbox-code-interpreter"
    version: str = "v1"
    timestamp: str
    uptime: float = Field(description="In seconds.")


def routes(boxes: Boxes) -> APIRouter:
    """Create, list, look at, stop, delete."""
    router = APIRouter(tags=["sandboxes"])

    @router.post("/sandboxes")
    async def create(wish: Create, owner: Owner, request: Request) -> SandboxAnswer:
        """Start a sandbox."""
        return _answer(await start(boxes, wish, owner), request)

    @router.get("/sandboxes")
    async def list_sandboxes(owner: Owner) -> SandboxList:
        """The sandboxes of this key, with those that ended lately."""
        return SandboxList(items=[view(held) for held in boxes.all_held(owner)])

    @router.get("/sandboxes/{id}")
    async def get(id: str, owner: Owner, request: Request) -> SandboxAnswer:
        """Look at a sandbox."""
        return _answer(boxes.held(id, owner), request)

    @router.delete("/sandboxes/{id}")
    async def delete(id: str, owner: Owner, request: Request) -> SandboxAnswer:
        """End a sandbox and forget it."""
        held = boxes.held(id, owner)
        await boxes.forget(id, owner)
        return _answer(held, request)

    @router.post("/sandboxes/{id}/stop")
    async def stop(id: str, owner: Owner, request: Request) -> SandboxAnswer:
        """End a sandbox; once more is fine."""
        await boxes.stop(id, owner)
        return _answer(boxes.held(id, owner), request)

    @router.get("/sandboxes/{id}/health")
    async def health(id: str, owner: Owner) -> Health:
        """Whether a sandbox is there and answers."""
        held = boxes.held(id, owner)
        await held.box.files.stat(".")
        return Health(timestamp=iso(time.time()), uptime=round(time.time() - held.created_s, 3))

    return router


async def start(boxes: Boxes, wish: Create, owner: str) -> Held:
    """The sandbox that is wanted."""
    changes: dict[str, Any] = {}
    if wish.sandboxIdleTimeoutSeconds is not None:
        changes["idle_timeout_s"] = wish.sandboxIdleTimeoutSeconds
    box = await boxes.create(
        wish.templateName,
        owner=owner,
        id=wish.sandboxId,
        metadata=wish.metadata,
        env=wish.environmentVariables,
        **changes,
    )
    return boxes.held(box.id, owner)


def view(held: Held) -> SandboxView:
    """A sandbox as it is told."""
    template = held.box.template
    return SandboxView(
        sandboxId=held.id,
        templateId=held.template,
        templateName=held.template,
        templateType=template.type,
        status="READY" if held.box.ended is None else "TERMINATED",
        sandboxIdleTimeoutInSeconds=template.idle_timeout_s,
        createdAt=iso(held.created_s),
        lastUpdatedAt=iso(held.changed_s),
        endedAt=None if held.ended_s is None else iso(held.ended_s),
        metadata=dict(held.metadata),
    )


def iso(when_s: float) -> str:
    """A time as the wire has it."""
    return datetime.fromtimestamp(when_s, timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def _answer(held: Held, request: Request) -> SandboxAnswer:
    shown = view(held)
    return SandboxAnswer(**shown.model_dump(), requestId=request.state.request_id, data=shown)
