"""What the control API answers, in the words that the commands print."""

from __future__ import annotations

import msgspec

from agentrun.resources.nouns import Condition, Definition, InstanceState, Rollout


class Share(msgspec.Struct, frozen=True):
    """A version and its part of the traffic."""

    version: str
    weight: float


class RoutingConfig(msgspec.Struct, frozen=True):
    """How an address shares its traffic."""

    weights: tuple[Share, ...]


class EndpointInfo(msgspec.Struct, frozen=True, rename="camel"):
    """An endpoint as it is shown."""

    id: str
    arn: str
    name: str
    url: str
    target_version: str
    traffic: str
    status: str
    description: str
    routing_config: RoutingConfig
    weight: float | None = None


class Size(msgspec.Struct, frozen=True, rename="camel"):
    """What an instance may use, and what holds it to that."""

    cpu: float
    memory: int
    port: int
    enforced_by: str = ""


class Timestamps(msgspec.Struct, frozen=True, rename="camel"):
    """ISO times in UTC."""

    created_at: str
    last_updated_at: str


class RuntimeInfo(msgspec.Struct, frozen=True, rename="camel"):
    """A runtime as it is shown."""

    id: str
    arn: str
    name: str
    version: str
    description: str
    artifact_type: str
    status: str
    resources: Size
    environment_variables: dict[str, str]
    timestamps: Timestamps
    region: str
    url: str
    endpoints: tuple[EndpointInfo, ...]
    instances: int = 0
    bot_id: str | None = None
    conditions: tuple[Condition, ...] = ()
    internal: bool = False
    labels: dict[str, str] = {}


class Deployed(msgspec.Struct, frozen=True, rename="camel"):
    """What a deploy did."""

    agent: RuntimeInfo
    version: str
    created: bool
    notes: tuple[str, ...] = ()
    deployment: int = 0  # the number of its DeployLog


class DeployLog(msgspec.Struct, frozen=True, rename="camel"):
    """What a deploy said, and how it ended. Numbered over all runtimes."""

    runtime: str
    at: str
    by: str
    lines: tuple[str, ...]
    version: str = ""  # that it came to; none of one that failed
    number: int = 0

    @property
    def status(self) -> str:
        """How it ended."""
        return "finished" if self.version else "failed"


class LatestDeployed(msgspec.Struct, frozen=True):
    """The newest version and what it is made of; values that nobody is shown are `***`."""

    version: int
    package: str
    definition: Definition


class Published(msgspec.Struct, frozen=True, rename="camel"):
    """What an endpoint is now, and what else that has changed."""

    endpoint: EndpointInfo
    notes: tuple[str, ...] = ()


class VersionInfo(msgspec.Struct, frozen=True, rename="camel"):
    """A version as it is listed."""

    version: str
    description: str
    last_updated_at: str
    arn: str
    published: bool
    url: str
    traffic: str = ""
    requests: int = 0  # of the last minute
    errors: int = 0
    p50_ms: float = 0.0
    p95_ms: float = 0.0


class InstanceInfo(msgspec.Struct, frozen=True, rename="camel"):
    """An instance as it is listed."""

    instance_id: str
    version: str
    status: InstanceState
    created_at: str
    in_flight: int = 0
    pid: int | None = None
    enforced_by: str = ""
    reason: str = ""
    start_ms: float | None = None  # until it answered
    cpu: float = 0.0  # shares of what it may use
    memory: float = 0.0


class Concurrency(msgspec.Struct, frozen=True, rename="camel"):
    """How many requests a runtime takes at a time."""

    reserved_concurrency: int | None
    instance_concurrency: int
    max_instances: int


class Release(msgspec.Struct, frozen=True, rename="camel"):
    """A gray release, and how its versions answer."""

    rollout: Rollout
    requests: int = 0
    errors: int = 0
    p95_ms: float = 0.0
    next_step: str = ""


class BuildResult(msgspec.Struct, frozen=True, rename="camel"):
    """What a build made."""

    package: str
    packages: str
    cached: bool


class SecretInfo(msgspec.Struct, frozen=True, rename="camel"):
    """A secret's name; its value is never shown."""

    name: str
    revision: int
    set_at: str


class NewKey(msgspec.Struct, frozen=True):
    """A key that was just made: the one time that its text is shown."""

    id: str
    name: str
    key: str


class LogLine(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    """One line that an instance printed, or one request that it answered."""

    at: str
    kind: str
    text: str
    version: str = ""
    instance_id: str = ""
    request_id: str = ""
    status: int = 0
    ms: float = 0.0


class Status(msgspec.Struct, frozen=True, rename="camel"):
    """What the platform is, and what runs on it."""

    pid: int
    version: str
    url: str
    folder: str
    store: str
    started_at: str
    runtimes: int
    versions: int
    instances: tuple[InstanceInfo, ...] = ()
    memory_mb: float = 0.0
    control_url: str = ""  # where keys are asked for; none: the Unix socket only
