"""The nouns of the platform: what is wanted, and what is."""

from __future__ import annotations

from typing import Annotated, Literal, TypeAlias

import msgspec
from msgspec import Meta

# what comes from elsewhere is held to these as it is read
Whole = Annotated[int, Meta(ge=0)]
Count = Annotated[int, Meta(ge=1)]
Amount = Annotated[float, Meta(ge=0)]
Positive = Annotated[float, Meta(gt=0)]
Argument = Annotated[str, Meta(pattern=r"^[^\x00]*$")]

InstanceState: TypeAlias = Literal["starting", "ready", "draining", "stopped", "failed"]
RolloutState: TypeAlias = Literal["deployed", "testing", "gray", "finalized", "rolled_back"]

Scope: TypeAlias = Literal["read", "deploy", "invoke", "exec"]

LATEST = "LATEST"
OWNER = "production"  # the endpoint that a runtime gets when s.yaml names none


class Limits(msgspec.Struct, frozen=True, omit_defaults=True):
    """What one instance may use."""

    cpu: Positive = 1.0
    memory_mb: Count = 2048


class HealthCheck(msgspec.Struct, frozen=True, omit_defaults=True):
    """When an instance counts as ready and as well. A path that the program does not know (404) is as good as none."""

    path: Annotated[str, Meta(pattern="^/[!-~]*$")] = "/health"
    initial_delay_s: Amount = 0.0
    period_s: Positive = 3.0
    timeout_s: Positive = 2.0
    failure_threshold: Count = 3
    success_threshold: Count = 1
    start_timeout_s: Positive = 60.0


class Scale(msgspec.Struct, frozen=True, omit_defaults=True):
    """How many instances a version may have, and what asks for one more."""

    min: Whole = 0
    max: Whole = 5
    concurrency: Count = 10
    idle_s: Amount = 300.0
    cpu_target: Amount = 0.6
    memory_target: Amount = 0.6
    keep_s: Amount = 120.0  # how long a version without traffic stays warm
    queue: Whole = 100
    queue_s: Amount = 30.0


class Sessions(msgspec.Struct, frozen=True, omit_defaults=True):
    """Whether a session's requests stay at one instance, or have it to themselves."""

    affinity: bool = True
    isolation: bool = False
    idle_s: Amount = 3600.0


class SecretRef(msgspec.Struct, frozen=True):
    """A secret as it was when the version was made."""

    name: str
    revision: int


class Definition(msgspec.Struct, frozen=True, omit_defaults=True):
    """All that makes a version what it is; two equal ones are one version."""

    command: Annotated[tuple[Argument, ...], Meta(min_length=1)]
    package: str = ""  # digest of the code's files; none for a command that is on the machine already
    packages: str = ""  # digest of the installed requirements
    language: str = ""
    port: Annotated[int, Meta(ge=0, le=65535)] = 9000
    limits: Limits = Limits()
    health: HealthCheck = HealthCheck()
    scale: Scale = Scale()
    sessions: Sessions = Sessions()
    variables: dict[str, str] = {}
    masked: tuple[str, ...] = ()  # variables whose values are not shown
    secrets: tuple[SecretRef, ...] = ()
    bot_id: str | None = None
    driver: str = "local"
    internal: bool = False  # for callers of this machine, and those that are trusted
    labels: dict[str, str] = {}  # what tools note about it; the platform makes nothing of them


class Runtime(msgspec.Struct, frozen=True, omit_defaults=True):
    """A deployed agent or function, by name."""

    name: str
    id: str
    created_at: float
    updated_at: float
    description: str = ""
    region: str = ""
    reserved_concurrency: int | None = None


class Version(msgspec.Struct, frozen=True, omit_defaults=True):
    """An immutable build of a runtime."""

    runtime: str
    number: int
    digest: str
    created_at: float
    definition: Definition
    description: str = ""
    published_at: float | None = None

    @property
    def id(self) -> str:
        """`my-agent@3`"""
        return version_id(self.runtime, self.number)


class Canary(msgspec.Struct, frozen=True):
    """A second version at an endpoint's own address, with its share."""

    version: int
    weight: float


class Endpoint(msgspec.Struct, frozen=True, omit_defaults=True):
    """A stable address. Without a weight it owns traffic; with one it takes that share of the owner's."""

    runtime: str
    name: str
    id: str
    created_at: float
    updated_at: float
    version: int | None = None  # none: LATEST
    weight: float | None = None
    canary: Canary | None = None
    description: str = ""
    revision: int = 1


class EndpointWish(msgspec.Struct, frozen=True, omit_defaults=True):
    """An endpoint as s.yaml or a command asks for it."""

    name: str
    version: int | None = None
    weight: float | None = None
    canary: Canary | None = None
    description: str | None = None


class Hold(msgspec.Struct, frozen=True, omit_defaults=True):
    """Make the version and let nobody reach it yet: a gray release begins, and what may end it by itself."""

    max_error_rate: float = 0.05
    max_latency_ms: float | None = None


class Deployment(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a deploy asks for. `endpoints` are the ones that the file names; others are left as they are."""

    runtime: str
    definition: Definition
    description: str = ""
    region: str = ""
    secrets: tuple[str, ...] = ()
    endpoints: tuple[EndpointWish, ...] = ()
    hold: Hold | None = None
    keep_variables: bool = False  # those of the newest version that are not named stay


class Testers(msgspec.Struct, frozen=True, omit_defaults=True):
    """Whose requests reach a version that is being tested."""

    open_ids: tuple[str, ...] = ()
    parameter: str | None = None  # the name of a URL parameter,
    value: str | None = None  # and what it has to be


class Step(msgspec.Struct, frozen=True, omit_defaults=True):
    """What was done in a gray release, by whom and when."""

    action: str
    by: str
    at: float
    detail: str = ""


class Rollout(msgspec.Struct, frozen=True, omit_defaults=True):
    """A gray release of one version over another."""

    runtime: str
    id: str
    old: int
    new: int
    state: RolloutState = "deployed"
    percent: float = 0.0
    testers: Testers = Testers()
    max_error_rate: float = 0.05
    max_latency_ms: float | None = None
    steps: tuple[Step, ...] = ()


class Instance(msgspec.Struct, frozen=True, omit_defaults=True):
    """One running copy of a version."""

    id: str
    runtime: str
    version: int
    state: InstanceState
    created_at: float
    ready_at: float | None = None
    pid: int | None = None
    port: int | None = None
    in_flight: int = 0
    reason: str = ""  # why it is not well
    enforced_by: str = ""  # what holds its limits: cgroup or rlimit
    cpu: float = 0.0  # shares of what it may use
    memory: float = 0.0


class Key(msgspec.Struct, frozen=True, omit_defaults=True):
    """An access key: what it may do. Its text is shown once and kept only as a hash."""

    id: str
    name: str
    scopes: tuple[Scope, ...]
    created_at: float
    runtimes: tuple[str, ...] = ()  # none: all
    per_minute: int = 600
    trusted: bool = False  # its X-WX-* headers are believed


class Condition(msgspec.Struct, frozen=True, omit_defaults=True):
    """One thing that is so, or is not, and why."""

    kind: str
    ok: bool
    reason: str = ""
    message: str = ""
    since: float | None = None


def version_id(runtime: str, number: int) -> str:
    """How a version is named outside of its runtime."""
    return f"{runtime}@{number}"


def show_version(number: int | None) -> str:
    """A version as people write it: `2`, or `LATEST`."""
    return LATEST if number is None else str(number)
