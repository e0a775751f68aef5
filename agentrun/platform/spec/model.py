"""What may stand in s.yaml, with its limits. What only a cloud has is taken as it comes."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema, model_validator
from pydantic.alias_generators import to_camel

from agentrun.resources import LATEST

NAME = r"^[a-zA-Z][a-zA-Z0-9_-]{0,127}$"
SHORT_NAME = r"^[a-zA-Z][a-zA-Z0-9_-]{0,63}$"
BOT_ID = r"^ibot-[a-z0-9_]+-[a-z0-9_]+$"
VARIABLE = r"^[A-Za-z_][A-Za-z0-9_]*$"

Language = Literal[
    "python3.10", "python3.11", "python3.12", "python3.13", "nodejs18", "nodejs20", "nodejs22",
    "java8", "java11", "java17", "custom",
]  # fmt: skip
_UNITS = {"": 1, "s": 1, "m": 60, "h": 3600}


def _seconds(value: object) -> object:
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([smh]?)", value) if isinstance(value, str) else None
    return float(match[1]) * _UNITS[match[2]] if match else value


def _version(value: object) -> object:
    if value is None or value == LATEST:
        return None
    if isinstance(value, str) and value.removeprefix("v").isdecimal():
        return int(value.removeprefix("v"))
    return value


def _text(value: object) -> object:
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, (int, float)) else value


Seconds = Annotated[
    float,
    BeforeValidator(_seconds),
    Field(ge=0),
    WithJsonSchema({"anyOf": [{"type": "number", "minimum": 0}, {"pattern": r"^\d+(\.\d+)?[smh]?$"}]}),
]
VersionNumber = Annotated[
    Annotated[int, Field(ge=1)] | None,
    BeforeValidator(_version),
    WithJsonSchema(
        {"anyOf": [{"const": LATEST}, {"type": "integer", "minimum": 1}, {"pattern": r"^v?\d+$"}]}
    ),
]
Text = Annotated[str, BeforeValidator(_text)]
Share = Annotated[float, Field(ge=0, le=1)]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, alias_generator=to_camel)


class Code(_Part):
    """What runs: files and a command."""

    language: Language = Field(description="The runtime the command needs.")
    src: str | None = Field(default=None, description="A folder, zip or jar, from this file.")
    command: list[Text] = Field(default=[], description="How it starts; it listens on PORT.")
    oss_bucket_name: str | None = Field(default=None, description="A bucket of a cloud.")
    oss_object_name: str | None = Field(default=None, description="An archive in that bucket.")
    checksum: Text | None = Field(default=None, description="CRC-64 of the archive.")


class CustomContainer(_Part):
    """An image; without one, a command that is run as it is."""

    image: str | None = Field(default=None, description="Needs a container engine.")
    command: list[Text] = Field(default=[], description="How it starts.")
    port: int | None = Field(default=None, ge=1, le=65535, description="Where it listens.")
    image_registry_type: Literal["ACR", "ACREE", "CUSTOM"] = Field(
        default="ACR", description="Kind of registry."
    )
    acr_instance_id: str | None = Field(default=None, description="With ACREE.")
    registry_config: Any = Field(default=None, description="With CUSTOM.")


class Health(_Part):
    """When an instance counts as ready and as well."""

    http_get_url: str = Field(default="/health", pattern="^/", description="The path that is asked.")
    initial_delay_seconds: float = Field(default=0, ge=0, le=300, description="Wait before the first ask.")
    period_seconds: float = Field(default=3, ge=1, le=300, description="Between two asks.")
    timeout_seconds: float = Field(default=2, ge=1, le=60, description="Longest wait for an answer.")
    failure_threshold: int = Field(default=3, ge=1, le=10, description="Failures in a row that count.")
    success_threshold: int = Field(default=1, ge=1, le=10, description="Successes in a row that count.")
    start_timeout_seconds: float = Field(default=60, ge=1, le=3600, description="Longest start.")


class EndpointPart(_Part):
    """A stable address."""

    name: str = Field(pattern=SHORT_NAME, description="Part of the address.")
    version: VersionNumber = Field(default=None, description="LATEST, or the number of a version.")
    description: str = Field(default="", max_length=256, description="What it is for.")
    weight: Share | None = Field(default=None, description="Its share of the traffic of the one without.")


class Targets(_Part):
    """Use of the instances at which one more is started."""

    cpu: Share = Field(default=0.6, description="Share of the cores.")
    memory: Share = Field(default=0.6, description="Share of the memory.")


class ScalePart(_Part):
    """How many instances there may be."""

    min: int = Field(default=0, ge=0, le=1000, description="Kept even without requests.")
    max: int = Field(default=5, ge=1, le=1000, description="Never more.")
    idle: Seconds = Field(default=300, description="Time without requests after which one stops.")
    keep: Seconds = Field(default=120, description="How long an old version stays warm for a rollback.")
    targets: Targets = Field(default=Targets(), description="What asks for one more.")
    queue: int = Field(default=100, ge=0, description="Requests that may wait for an instance.")
    queue_timeout: Seconds = Field(default=30, description="How long one may wait.")

    @model_validator(mode="after")
    def _ordered(self) -> ScalePart:
        if self.min > self.max:
            raise ValueError(f"min is {self.min} and max is {self.max}; min may not be more")
        return self


class Agent(_Part):
    """One agent, as it is deployed."""

    name: str = Field(pattern=NAME, description="The runtime's name.")
    description: str = Field(default="", max_length=256, description="Shown in listings.")
    code: Code | None = Field(default=None, description="Files and a command.")
    custom_container_config: CustomContainer | None = Field(default=None, description="In place of code.")
    cpu: float = Field(default=1.0, ge=0.05, le=16, description="Cores of an instance.")
    memory: int = Field(default=2048, ge=128, le=32768, description="MB of an instance.")
    disk_size: int = Field(default=512, description="MB of an instance.")
    port: int = Field(default=9000, ge=1, le=65535, description="Where it listens; the platform sets PORT.")
    instance_concurrency: int = Field(default=10, ge=1, le=200, description="Requests at a time.")
    session_idle_timeout_seconds: int = Field(
        default=3600, ge=60, le=86400, description="End of a quiet session."
    )
    enable_session_isolation: bool = Field(default=False, description="An instance for each session.")
    disable_session_affinity: bool = Field(default=False, description="Any instance for any request.")
    environment_variables: dict[str, Text] = Field(default={}, description="Given to the program.")
    protocol_configuration: Any = Field(default=None, description="HTTP.")
    health_check_configuration: Health = Field(default=Health(), description="How it is checked.")
    endpoints: list[EndpointPart] = Field(default=[], description="Addresses; production if none.")
    bot_id: str | None = Field(default=None, pattern=BOT_ID, description="ibot-<name>-<tag>.")
    internal: bool = Field(default=False, description="For callers of this machine, and trusted keys.")
    scale: ScalePart = Field(default=ScalePart(), description="How many instances.")
    secrets: list[str] = Field(default=[], description="Names kept with `agentrun secrets`.")
    driver: str = Field(default="local", pattern=r"^[a-z][a-z0-9_-]*$", description="What runs it.")
    # what only a cloud has
    credential_name: Any = Field(default=None, description="Cloud only.")
    role: Any = Field(default=None, description="Cloud only.")
    internet_access: Any = Field(default=None, description="Cloud only.")
    vpc_config: Any = Field(default=None, description="Cloud only.")
    nas_config: Any = Field(default=None, description="Cloud only.")
    oss_mount_config: Any = Field(default=None, description="Cloud only.")
    log_config: Any = Field(default=None, description="Cloud only.")
    arms_configuration: Any = Field(default=None, description="Cloud only.")
    workspace: Any = Field(default=None, description="Cloud only.")
    custom_domain: Any = Field(default=None, description="Cloud only.")


CLOUD_ONLY = (
    "credentialName", "role", "vpcConfig", "nasConfig", "ossMountConfig", "logConfig",
    "armsConfiguration", "workspace", "customDomain",
)  # fmt: skip
# taken without a word: they ask for nothing that is not so here
QUIET = ("internetAccess", "protocolConfiguration", "diskSize")
