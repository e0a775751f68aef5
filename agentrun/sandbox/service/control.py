"""Routes of the original's control plane: templates, and sandboxes once more."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel, ConfigDict, Field

from agentrun.errors import RequestError
from agentrun.sandbox.service.boxes import Boxes
from agentrun.sandbox.service.callers import Owner
from agentrun.sandbox.service.sandboxes import Create, SandboxView, iso, start, view
from agentrun.sandbox.service.templates import Made, Templates
from agentrun.sandbox.template import TemplateType

VERSION = "/2025-09-10"
_PUBLIC = ("PUBLIC", "PUBLIC_AND_PRIVATE")
_READY = "READY"


class NetworkConfiguration(BaseModel):
    """Whom sandboxes may talk to: PUBLIC is what the service was started with, and nobody otherwise."""

    model_config = ConfigDict(extra="allow")

    networkMode: str = "PRIVATE"


class ChangeTemplate(BaseModel):
    """A template's fields; what is left out stays as it is. Fields of the cloud alone are kept and without effect."""

    model_config = ConfigDict(extra="allow")

    cpu: float | None = Field(default=None, gt=0, description="Processor cores.")
    memory: int | None = Field(default=None, ge=32, description="In MB.")
    diskSize: int | None = Field(default=None, ge=1, description="In MB.")
    sandboxIdleTimeoutInSeconds: float | None = Field(default=None, gt=0)
    sandboxTTLInSeconds: float | None = Field(default=None, gt=0)
    environmentVariables: dict[str, str] | None = None
    networkConfiguration: NetworkConfiguration | None = None
    description: str | None = None


class CreateTemplate(ChangeTemplate):
    """A template."""

    templateName: str = Field(pattern=r"^[A-Za-z0-9_-]{1,128}$")
    templateType: TemplateType = TemplateType.CODE_INTERPRETER


class TemplateView(BaseModel):
    """A template as it is told, with what was asked for in the cloud's words."""

    model_config = ConfigDict(extra="allow")

    templateId: str
    templateName: str
    templateType: TemplateType
    templateArn: str
    cpu: float
    memory: int
    diskSize: int
    sandboxIdleTimeoutInSeconds: float
    sandboxTTLInSeconds: float
    networkConfiguration: NetworkConfiguration
    status: str = _READY
    statusReason: str = ""
    createdAt: str
    lastUpdatedAt: str


class Envelope(BaseModel):
    """Around every answer."""

    code: str = "SUCCESS"
    requestId: str


class TemplateAnswer(Envelope):
    """A template."""

    data: TemplateView


class TemplatePage(BaseModel):
    """Some of the templates."""

    items: list[TemplateView]
    total: int
    pageNumber: int
    pageSize: int


class TemplatesAnswer(Envelope):
    """Templates."""

    data: TemplatePage


class SandboxAnswer(Envelope):
    """A sandbox."""

    data: SandboxView


class SandboxPage(BaseModel):
    """Some of the sandboxes."""

    items: list[SandboxView]
    nextToken: str | None


class SandboxesAnswer(Envelope):
    """Sandboxes."""

    data: SandboxPage


def routes(boxes: Boxes, public_hosts: list[str]) -> APIRouter:
    """Both kinds; `public_hosts` is what the network mode PUBLIC opens."""
    router = APIRouter(prefix=VERSION)
    router.include_router(_templates(boxes.templates, public_hosts))
    router.include_router(_sandboxes(boxes))
    return router


def _templates(templates: Templates, public_hosts: list[str]) -> APIRouter:
    router = APIRouter(prefix="/templates", tags=["templates"])

    def answer(made: Made, request: Request) -> TemplateAnswer:
        return TemplateAnswer(requestId=request.state.request_id, data=_view(made))

    @router.post("")
    async def create(wish: CreateTemplate, owner: Owner, request: Request) -> TemplateAnswer:
        """Make a template."""
        keys = {"type": wish.templateType.value, **_keys(wish, public_hosts)}
        return answer(templates.add(wish.templateName, _asked(wish), keys, owner), request)

    @router.get("")
    async def list_templates(
        owner: Owner,
        request: Request,
        pageNumber: Annotated[int, Query(ge=1)] = 1,
        pageSize: Annotated[int, Query(ge=1, le=100)] = 10,
        templateType: TemplateType | None = None,
    ) -> TemplatesAnswer:
        """The templates of this key, and those that are written in files."""
        found = [_view(made) for made in templates.list(owner)]
        found = [one for one in found if templateType in (None, one.templateType)]
        items = found[(pageNumber - 1) * pageSize : pageNumber * pageSize]
        page = TemplatePage(items=items, total=len(found), pageNumber=pageNumber, pageSize=pageSize)
        return TemplatesAnswer(requestId=request.state.request_id, data=page)

    @router.get("/{name}")
    async def get(name: str, owner: Owner, request: Request) -> TemplateAnswer:
        """Look at a template."""
        return answer(templates.get(name, owner), request)

    @router.put("/{name}")
    async def change(name: str, wish: ChangeTemplate, owner: Owner, request: Request) -> TemplateAnswer:
        """Change a template. Sandboxes that run stay as they are."""
        return answer(templates.change(name, _asked(wish), _keys(wish, public_hosts), owner), request)

    @router.delete("/{name}")
    async def delete(name: str, owner: Owner, request: Request) -> TemplateAnswer:
        """Delete a template. Sandboxes that run go on."""
        return answer(templates.remove(name, owner), request)

    return router


def _sandboxes(boxes: Boxes) -> APIRouter:
    router = APIRouter(prefix="/sandboxes", tags=["sandboxes"])

    def answer(id: str, owner: str, request: Request) -> SandboxAnswer:
        return SandboxAnswer(requestId=request.state.request_id, data=view(boxes.held(id, owner)))

    @router.post("")
    async def create(wish: Create, owner: Owner, request: Request) -> SandboxAnswer:
        """Start a sandbox."""
        return SandboxAnswer(requestId=request.state.request_id, data=view(await start(boxes, wish, owner)))

    @router.get("")
    async def list_sandboxes(
        owner: Owner,
        request: Request,
        maxResults: Annotated[int, Query(ge=1, le=100)] = 10,
        nextToken: Annotated[str | None, Query(pattern="^[0-9]{1,9}$")] = None,
        status: str | None = None,
        templateName: str | None = None,
        templateType: TemplateType | None = None,
    ) -> SandboxesAnswer:
        """The sandboxes of this key, with those that ended lately."""
        found = [view(held) for held in boxes.all_held(owner)]
        wanted = [
            one
            for one in found
            if status in (None, "", one.status)
            and templateName in (None, "", one.templateName)
            and templateType in (None, one.templateType)
        ]
        first = int(nextToken or 0)
        last = first + maxResults
        page = SandboxPage(items=wanted[first:last], nextToken=str(last) if last < len(wanted) else None)
        return SandboxesAnswer(requestId=request.state.request_id, data=page)

    @router.get("/{id}")
    async def get(id: str, owner: Owner, request: Request) -> SandboxAnswer:
        """Look at a sandbox."""
        return answer(id, owner, request)

    @router.delete("/{id}")
    async def delete(id: str, owner: Owner, request: Request) -> SandboxAnswer:
        """End a sandbox and forget it."""
        held = boxes.held(id, owner)
        await boxes.forget(id, owner)
        return SandboxAnswer(requestId=request.state.request_id, data=view(held))

    @router.post("/{id}/stop")
    async def stop(id: str, owner: Owner, request: Request) -> SandboxAnswer:
        """End a sandbox; once more is fine."""
        await boxes.stop(id, owner)
        return answer(id, owner, request)

    @router.put("/{id}/pause")
    async def pause(id: str, owner: Owner, request: Request) -> SandboxAnswer:
        """Stop all that runs in it, where it stands."""
        await boxes.get(id, owner).pause()
        return answer(id, owner, request)

    @router.put("/{id}/resume")
    async def resume(id: str, owner: Owner, request: Request) -> SandboxAnswer:
        """Let it go on."""
        await boxes.get(id, owner).resume()
        return answer(id, owner, request)

    return router


def _asked(wish: ChangeTemplate) -> dict[str, Any]:
    return wish.model_dump(mode="json", exclude_none=True)


def _keys(wish: ChangeTemplate, public_hosts: list[str]) -> dict[str, Any]:
    """The keys of our template that the wish comes to: nothing that names a file, a program or a backend of this machine."""
    container: Any = (wish.model_extra or {}).get("containerConfiguration")
    if container and container.get("image"):
        raise RequestError(
            "containerConfiguration.image: sandboxes are not made of container images here.",
            hint="Write the template into agentrun.yaml: type: custom, command, port, packages.",
        )
    limits = {"cpu": wish.cpu, "memory_mb": wish.memory, "disk_mb": wish.diskSize}
    network = wish.networkConfiguration
    keys: dict[str, Any] = {
        "limits": {name: value for name, value in limits.items() if value is not None} or None,
        "idle_timeout_s": wish.sandboxIdleTimeoutInSeconds,
        "max_life_s": wish.sandboxTTLInSeconds,
        "env": wish.environmentVariables,
        "network": network and {"allow": public_hosts if network.networkMode in _PUBLIC else []},
    }
    return {name: value for name, value in keys.items() if value is not None}


def _view(made: Made) -> TemplateView:
    template = made.template
    ours: dict[str, Any] = {
        "templateId": made.name,
        "templateName": made.name,
        "templateType": template.type,
        "templateArn": f"acs:agentrun:local::templates/{made.name}",
        "cpu": template.limits.cpu,
        "memory": template.limits.memory_mb,
        "diskSize": template.limits.disk_mb,
        "sandboxIdleTimeoutInSeconds": template.idle_timeout_s,
        "sandboxTTLInSeconds": template.max_life_s,
        "networkConfiguration": {
            **made.asked.get("networkConfiguration", {}),
            "networkMode": "PUBLIC" if template.network.hosts else "PRIVATE",
        },
        "createdAt": iso(made.created_s),
        "lastUpdatedAt": iso(made.changed_s),
    }
    return TemplateView.model_validate({**made.asked, **ours})
