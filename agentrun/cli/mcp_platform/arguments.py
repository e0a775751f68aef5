"""What the tools are asked for: the arguments that CloudBase's own tools have, and a few of ours."""

from __future__ import annotations

import json
from typing import Annotated, Any, Literal, TypeVar, cast

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator
from pydantic.alias_generators import to_camel, to_pascal

from agentrun.errors import RequestError

SERVER_NAME = r"^[a-zA-Z][a-zA-Z0-9_-]{2,44}$"
ACCESS_TYPES = ("OA", "PUBLIC", "MINIAPP", "VPC")
_ACCESS_ALIASES = {"WEB": "PUBLIC", "PRIVATE": "VPC"}

ServerType = Literal["function", "container"]
AccessType = Literal["OA", "PUBLIC", "MINIAPP", "VPC"]
Arguments = TypeVar("Arguments", bound=BaseModel)


def _without_alias(value: object) -> object:
    return _ACCESS_ALIASES.get(value, value) if isinstance(value, str) else value


def _variables(value: object) -> object:
    """CloudBase has them as JSON in a text; an object is as good."""
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except ValueError:
        raise ValueError('it is JSON text: {"NAME": "value"}') from None


def _text(value: object) -> object:
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, (int, float)) else value


Text = Annotated[str, BeforeValidator(_text)]
Variables = Annotated[dict[str, Text], BeforeValidator(_variables)]
Port = Annotated[int, Field(ge=1, le=65535)]
Percent = Annotated[float, Field(ge=0, le=100)]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, alias_generator=to_camel)


class _Server(_Part):
    model_config = ConfigDict(alias_generator=to_pascal)


class Policy(_Server):
    """When one more instance is started."""

    policy_type: Literal["cpu", "mem", "cpu/mem"]
    policy_threshold: int = Field(ge=1, le=100, description="Percent of the use.")


class ServerConfig(_Server):
    """What a service may use, and how it is reached. What is left out stays as it is."""

    open_access_types: list[Annotated[AccessType, BeforeValidator(_without_alias)]] | None = Field(
        default=None, min_length=1, description="OA, PUBLIC, MINIAPP, VPC. WEB is PUBLIC, PRIVATE is VPC."
    )
    cpu: float | None = Field(default=None, gt=0, le=16, description="Cores: 0.25, 0.5, 1, 2, ...")
    mem: float | None = Field(default=None, gt=0, le=32, description="GB; always 2 x Cpu.")
    min_num: int | None = Field(default=None, ge=0, le=1000, description="Instances that are kept.")
    max_num: int | None = Field(default=None, ge=1, le=1000, description="Never more instances.")
    policy_details: list[Policy] | None = Field(default=None, description="When one more is started.")
    port: Port | None = Field(default=None, description="Where the program listens; it is told in PORT.")
    env_params: Variables | None = Field(default=None, description='Variables, as JSON: {"NAME": "value"}.')
    secrets: list[str] | None = Field(default=None, description="Names kept with `agentrun secrets set`.")
    dockerfile: str | None = Field(default=None, description="Its name, if not Dockerfile.")
    build_dir: str | None = Field(default=None, description="The folder in targetPath that is the program.")
    entry_point: list[str] | None = Field(default=None, description="How the program starts.")
    cmd: list[str] | None = Field(default=None, description="Its arguments.")
    initial_delay_seconds: float | None = Field(default=None, ge=0, le=300)
    session_affinity: bool | None = Field(
        default=None, description="Whether a session stays at one instance."
    )
    # what only the cloud has; accepted, and told that it means nothing here
    custom_logs: Any = None
    internal_access: Any = None
    internal_domain: Any = None
    log_type: Any = None
    log_set_id: Any = None
    log_topic_id: Any = None
    log_parse_type: Any = None
    tag: Any = None
    operation_mode: Any = None
    timer_scale: Any = None
    vpc_conf: Any = None
    volumes_conf: Any = None
    public_net_conf: Any = None

    @model_validator(mode="after")
    def _in_proportion(self) -> ServerConfig:
        if self.cpu is not None and self.mem is not None and abs(self.mem - 2 * self.cpu) > 1e-9:
            raise ValueError(
                f"Mem is {self.mem:g} and Cpu is {self.cpu:g}; Mem has to be 2 x Cpu: {2 * self.cpu:g}"
            )
        if self.min_num is not None and self.max_num is not None and self.min_num > self.max_num:
            raise ValueError(f"MinNum is {self.min_num} and MaxNum is {self.max_num}; MinNum may not be more")
        return self


CLOUD_ONLY = (
    "custom_logs", "internal_access", "internal_domain", "log_type", "log_set_id", "log_topic_id", "log_parse_type",
    "tag", "operation_mode", "timer_scale", "vpc_conf", "volumes_conf", "public_net_conf",
)  # fmt: skip


class RunOptions(_Part):
    """How a program is run here."""

    port: int = Field(default=3000, ge=0, le=65535, description="0 is a free one.")
    env_params: Variables = Field(default={}, description="Variables of this run.")
    run_mode: Literal["normal", "agent"] = Field(default="normal", description="agent: it is a bot.")
    agent_id: str | None = Field(default=None, description="The bot's id, ibot-<name>-<tag>.")


class AgentConfig(_Part):
    """A bot that is to be made."""

    agent_name: str = Field(description="Its name; part of ibot-<name>-<tag>.")
    bot_tag: str = Field(default="v1", description="Tells its variants apart.")
    description: str = Field(default="", max_length=256)
    template: str = Field(default="blank", description="See queryCloudRun, action templates.")


class TestersPart(_Part):
    """Whose requests reach a version that is being tested."""

    open_ids: list[str] = Field(default=[], description="Values of X-WX-OPENID.")
    parameter: str | None = Field(
        default=None, pattern="^[^=]+=.+$", description="A URL parameter: name=value."
    )


class QueryCloudRun(_Part):
    """Arguments of `queryCloudRun`."""

    action: Literal[
        "list", "detail", "templates", "getDeployRecords", "getDeployLog", "getProcessLog", "getManageTask",
        "envStatus",
    ]  # fmt: skip
    page_size: int = Field(default=10, ge=1, le=100)
    page_num: int = Field(default=1, ge=1)
    server_name: str | None = Field(default=None, description="list: part of the name.")
    server_type: ServerType | None = Field(default=None, description="list: only these.")
    detail_server_name: str | None = Field(
        default=None, description="The service that all other actions are about."
    )
    build_id: int | None = Field(default=None, description="getDeployLog: which; the last one if not said.")
    run_id: str | None = Field(default=None, description="getProcessLog: which version, as NAME@2.")
    reveal_env_params: bool = Field(default=False, description="detail: show values; never those of secrets.")
    search: str | None = Field(default=None, description="getProcessLog: lines with this text.")
    request_id: str | None = Field(default=None, description="getProcessLog: of one request.")
    limit: int = Field(default=100, ge=1, le=1000, description="getProcessLog: the newest so many lines.")
    env_id: str | None = Field(default=None, description="Taken, and means nothing here.")


class ManageCloudRun(_Part):
    """Arguments of `manageCloudRun`."""

    action: Literal[
        "init", "download", "run", "stop", "logs", "deploy", "delete", "createAgent", "updateConfig", "traffic",
        "initEnv",
    ]  # fmt: skip
    server_name: str | None = Field(default=None, pattern=SERVER_NAME, description="The service.")
    target_path: str | None = Field(default=None, description="An absolute path inside of the root.")
    template: str = Field(default="helloworld", description="init: see queryCloudRun, action templates.")
    server_type: ServerType | None = Field(
        default=None, description="Container with a Dockerfile, function otherwise."
    )
    server_config: ServerConfig = Field(default=ServerConfig())
    env_params_replace_all: bool = Field(
        default=False, description="Drop the variables that EnvParams does not name."
    )
    run_options: RunOptions = Field(default=RunOptions())
    agent_config: AgentConfig | None = None
    force: bool = Field(default=False, description="delete: needed.")
    traffic_op: Literal["test", "set", "promote", "rollback"] | None = None
    stable_percent: Percent | None = Field(default=None, description="traffic set: the rest of 100.")
    canary_percent: Percent | None = Field(default=None, description="traffic set: the new version's share.")
    testers: TestersPart | None = Field(default=None, description="traffic test: who.")
    release_type: Literal["FULL", "GRAY"] = Field(
        default="FULL", description="deploy: GRAY starts a gray release; traffic goes on with it."
    )
    image_url: str | None = Field(default=None, description="Refused: there is no container engine here.")
    env_id: str | None = Field(default=None, description="Taken, and means nothing here.")
    package_type: Any = None
    vpc_id: Any = None
    subnet_ids: Any = None
    wait_registration: Any = Field(default=None, description="A deploy always waits until it answers.")


class QueryAgents(_Part):
    """Arguments of `queryAgents`."""

    action: Literal["listAgents", "getAgent", "getAgentLogs"]
    agent_id: str | None = Field(default=None, description="ibot-<name>-<tag>, or the service's name.")
    page_number: int = Field(default=1, ge=1)
    page_size: int = Field(default=10, ge=1, le=100)
    params: Any = None


class ManageAgents(_Part):
    """Arguments of `manageAgents`."""

    action: Literal["createAgent", "updateAgent", "deleteAgent"]
    agent_id: str | None = Field(default=None, description="ibot-<name>-<tag>.")
    name: str | None = Field(default=None, description="createAgent: its name, if agentId is not given.")
    description: str | None = Field(default=None, max_length=256)
    cwd: str | None = Field(default=None, description="The folder of its code, inside of the root.")
    zip_file: str | None = Field(default=None, description="Its code as base64 of a zip, in place of cwd.")
    memory_size: int | None = Field(default=None, ge=128, le=32768, description="MB.")
    timeout: Any = Field(default=None, description="Taken; agents answer as long as they like.")
    runtime: str | None = Field(default=None, description="Taken; Python is the platform's own.")
    force: bool = Field(default=False, description="deleteAgent: needed.")
    install_dependency: Any = None
    session_config: Any = None
    cos_bucket_region: Any = None
    temp_cos_object_name: Any = None
    params: Any = None


def read(kind: type[Arguments], arguments: dict[str, Any]) -> Arguments:
    """The arguments, checked; a RequestError says which one is wrong."""
    try:
        return kind.model_validate(arguments)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"]) or "the arguments"
        said = first["msg"].removeprefix("Value error, ")
        hint = _hint(kind, first["type"], first["loc"])
        raise RequestError(f"{place}: {said}.", hint=hint, param=place, code="invalid_argument") from None


def _hint(kind: type[BaseModel], problem: str, place: tuple[str | int, ...]) -> str | None:
    if problem != "extra_forbidden" or len(place) != 1:
        return None
    return f"There are: {', '.join(str(field.alias) for field in kind.model_fields.values())}."


def schema_of(kind: type[BaseModel]) -> dict[str, Any]:
    """The JSON Schema, with nothing in it that refers to something else: not every client follows references."""
    found = kind.model_json_schema(by_alias=True)
    parts = found.pop("$defs", {})
    return cast("dict[str, Any]", _plain(found, parts))


def _plain(value: Any, parts: dict[str, Any]) -> Any:
    if isinstance(value, list):
        return [_plain(one, parts) for one in cast("list[Any]", value)]
    if not isinstance(value, dict):
        return value
    fields = cast("dict[str, Any]", value)
    if "$ref" in fields:
        part = parts[str(fields["$ref"]).rpartition("/")[2]]
        return _plain({**part, **{name: one for name, one in fields.items() if name != "$ref"}}, parts)
    options = [one for one in fields.get("anyOf", []) if one != {"type": "null"}]
    if len(options) == 1:  # what is left out is none, and none is not asked for
        rest = {name: one for name, one in fields.items() if name not in ("anyOf", "default")}
        return _plain({**options[0], **rest}, parts)
    kept = {name: one for name, one in fields.items() if name != "title" or not isinstance(one, str)}
    return {name: _plain(one, parts) for name, one in kept.items() if name != "default" or one is not None}
