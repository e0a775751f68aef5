"""Template: the recipe of a sandbox, as a person writes it under `sandboxes:` in agentrun.yaml."""

from __future__ import annotations

from enum import Enum
from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    ValidationInfo,
    WithJsonSchema,
    field_validator,
    model_validator,
)

from agentrun.sandbox.values import HOME

_SHORT = {"code": "CodeInterpreter", "browser": "Browser", "aio": "AllInOne", "custom": "CustomImage"}
# Chromium is a dozen processes of a dozen threads each
_BROWSER_LIMITS = {"memory_mb": 2048, "processes": 512, "open_files": 4096}
_OWN = ("/", "/proc", "/dev", "/sys", "/etc", "/usr", "/bin", "/sbin", "/lib", "/lib64", "/tmp", "/opt", HOME)


class TemplateType(str, Enum):
    """What a sandbox is for."""

    CODE_INTERPRETER = "CodeInterpreter"
    BROWSER = "Browser"
    AIO = "AllInOne"
    CUSTOM = "CustomImage"

    @property
    def has_browser(self) -> bool:
        return self in (TemplateType.BROWSER, TemplateType.AIO)


_TYPE_SCHEMA = {"type": "string", "enum": [*(kind.value for kind in TemplateType), *_SHORT]}


class Limits(BaseModel):
    """What a sandbox may use. `agentrun doctor` says which of them are only best effort here."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    memory_mb: int = Field(1024, ge=32, description="Memory of all its processes and files together.")
    cpu: float = Field(2.0, gt=0, description="Processor cores.")
    processes: int = Field(128, ge=4, description="Processes and threads.")
    disk_mb: int = Field(512, ge=1, description="Its working folder; /tmp and /dev/shm get as much again.")
    files: int = Field(50_000, ge=100, description="Files and folders in each of these.")
    file_mb: int = Field(512, ge=1, description="The largest file.")
    open_files: int = Field(1024, ge=64, description="Open files of one process.")
    output_mb: float = Field(4.0, gt=0, description="Output of one run that is kept; the rest is cut.")


class Network(BaseModel):
    """Whom a sandbox may talk to. Nobody, unless it says so."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    allow: list[str] = Field(
        default=[], description="Host names; `*.example.com` for all below one; `*` for every public host."
    )
    pip: bool = Field(default=False, description="Allow the Python package index.")

    @property
    def hosts(self) -> tuple[str, ...]:
        index = ("pypi.org", "files.pythonhosted.org") if self.pip else ()
        return (*self.allow, *index)

    @field_validator("allow")
    @classmethod
    def _names(cls, value: list[str]) -> list[str]:
        for name in value:
            if "/" in name or "*" in name.removeprefix("*.") and name != "*":
                raise ValueError(f"{name!r} is no host name, *.name or *")
        return value


class MountSpec(BaseModel):
    """A folder or file of this machine, at a path of the sandbox."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    source: str
    target: str
    writable: bool = False

    @field_validator("target")
    @classmethod
    def _apart(cls, value: str) -> str:
        path = value.rstrip("/") or "/"
        if not path.startswith("/") or "//" in path or {".", ".."} & set(path.split("/")):
            raise ValueError("it has to be an absolute path without . and ..")
        if path in _OWN or path.startswith(tuple(own + "/" for own in _OWN[1:])):
            raise ValueError("it may not be in a folder of the system or the working folder; use /mnt/...")
        return path


class Remote(BaseModel):
    """A service of sandboxes on another machine, which `agentrun sandbox serve` is."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    url: str = Field(pattern="^https?://", description="Its address.")
    key: str | None = Field(default=None, repr=False, description="The key that it asks for.")
    template: str = Field(
        default="python", description="A template over there, which says all that is not said here."
    )


class Template(BaseModel):
    """A recipe for sandboxes."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    type: Annotated[TemplateType, WithJsonSchema(_TYPE_SCHEMA)] = Field(
        TemplateType.CODE_INTERPRETER, description="What it is for."
    )
    backend: str = Field("auto", description="auto is the strongest that works here, and never `process`.")
    remote: Remote | None = Field(None, description="For backend remote: the service that has the sandboxes.")
    browser: str | None = Field(
        None, description="The Chromium of a type with a browser. Left out: the first that is known."
    )
    image: str = Field(
        "docker.io/library/python:3.12-slim",
        description="For backends docker and kubernetes: an image with Python 3.10 or newer and bash.",
    )
    python: str | None = Field(
        None,
        description="An interpreter whose packages the sandbox has too. Left out: AgentRun's, without packages.",
    )
    packages: list[str] = Field(default=[], description="Python packages, as pip names them.")
    preload: list[str] = Field(
        default=[], description="Modules that are loaded before a sandbox is asked for."
    )
    env: dict[str, str] = Field(default={}, description="Its environment.")
    files: dict[str, str] = Field(default={}, description="Files to put into it: path there, path here.")
    mounts: list[MountSpec] = Field(default=[], description="Folders of this machine that it sees.")
    network: Network = Field(default=Network(), description="Whom it may talk to; nobody if left out.")
    limits: Limits = Field(
        default_factory=lambda: Limits.model_validate({}),
        validate_default=True,
        description="What it may use at most.",
    )
    command: str | list[str] | None = Field(
        None,
        description="For type custom: what runs in it from its start to its end; a text is a line for bash.",
    )
    port: int | None = Field(
        None, gt=0, lt=65536, description="For type custom: where the command listens; it is told as PORT."
    )
    health: str | None = Field(
        None,
        pattern="^/",
        description="For type custom: a path that has to be answered before the sandbox is ready. Left out: that the port is open is enough.",
    )
    start_s: float = Field(
        60.0, gt=0, description="For type custom: how long the command may take until then."
    )
    timeout_s: float = Field(60.0, gt=0, description="Longest run of a piece of code or a command.")
    idle_timeout_s: float = Field(600.0, gt=0, description="Ended after this long without being used.")
    max_life_s: float = Field(21_600.0, gt=0, description="Ended after this long in any case.")
    warm: int = Field(2, ge=0, description="Sandboxes kept ready; 0 starts each from nothing.")
    strict: bool = Field(
        False, description="No warm parent: nothing of memory layout is shared between two sandboxes."
    )

    @field_validator("type", mode="before")
    @classmethod
    def _short_names(cls, value: object) -> object:
        return _SHORT.get(value, value) if isinstance(value, str) else value

    @field_validator("limits", mode="before")
    @classmethod
    def _room_for_a_browser(cls, value: Any, info: ValidationInfo) -> Any:
        kind = info.data.get("type")
        if not isinstance(kind, TemplateType) or not kind.has_browser:
            return value
        said = value.model_dump(exclude_unset=True) if isinstance(value, Limits) else value
        return {**_BROWSER_LIMITS, **said} if isinstance(said, dict) else said

    @model_validator(mode="after")
    def _custom(self) -> Template:
        given = [name for name in ("command", "port", "health") if getattr(self, name) is not None]
        if self.type is TemplateType.CUSTOM and not {"command", "port"} <= set(given):
            raise ValueError("a sandbox of type custom needs both command and port")
        if self.type is not TemplateType.CUSTOM and given:
            raise ValueError(f"{' and '.join(given)} belong to type: custom")
        return self

    @model_validator(mode="after")
    def _elsewhere(self) -> Template:
        if (self.backend == "remote") != (self.remote is not None):
            raise ValueError("backend: remote and the key remote, with its url, belong together")
        return self

    @model_validator(mode="after")
    def _apart(self) -> Template:
        targets = [mount.target for mount in self.mounts]
        for target in targets:
            if any(other != target and target.startswith(other + "/") for other in targets):
                raise ValueError(f"the mount at {target} would be inside another one")
        return self


Builtin = Literal["python", "code", "browser", "aio"]
BUILTIN: dict[str, Template] = {
    "python": Template.model_validate({}),
    "code": Template.model_validate({}),
    "browser": Template.model_validate({"type": "browser"}),
    "aio": Template.model_validate({"type": "aio"}),
}
