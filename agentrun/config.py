"""Settings: arguments, then the environment, then `.env`, then `agentrun.yaml`. The only file that reads the environment."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from ipaddress import ip_address
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, cast

from pydantic import Field, ValidationError, field_validator
from pydantic.fields import FieldInfo
from pydantic_settings import (
    BaseSettings,
    NoDecode,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

from agentrun.bot_id import BotId
from agentrun.errors import ConfigError

if TYPE_CHECKING:
    from agentrun.utils.yaml import Document, Keys

_UNPREFIXED = {"port": "PORT", "log_level": "LOG_LEVEL"}

Names = Annotated[list[str], NoDecode]
ReasoningField = Literal["reasoning_content", "reasoning", "both", "think-tags", "off"]


class _Platform(PydanticBaseSettingsSource):
    """`PORT` and `LOG_LEVEL`, which platforms set without our prefix."""

    def __init__(self, settings_cls: type[BaseSettings], variables: Mapping[str, str]) -> None:
        super().__init__(settings_cls)
        self._variables = variables

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:
        return None, field_name, False

    def __call__(self) -> dict[str, Any]:
        named = {field: self._variables.get(name) for field, name in _UNPREFIXED.items()}
        return {field: value for field, value in named.items() if value}


class _Yaml(PydanticBaseSettingsSource):
    """The `server:` part of `agentrun.yaml`, and that of the profile, which wins."""

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:
        return None, field_name, False

    def __call__(self) -> dict[str, Any]:
        document = _project()
        found: dict[str, Any] = {}
        for keys in _server_keys() if document is not None else ():
            assert document is not None
            for name, value in _section(document, keys).items():
                if name not in Settings.model_fields:
                    raise _no_setting(name, document.where((*keys, name)))
                if value is not None:
                    found[name] = _resolve(value, document, (*keys, name))
        return found


def _server_keys() -> tuple[Keys, Keys]:
    return ("server",), ("profiles", environment("AGENTRUN_PROFILE") or "dev", "server")


def _project() -> Document | None:
    path = Path("agentrun.yaml")
    if not path.is_file():
        return None
    from agentrun.utils.yaml import Document, YamlError

    try:
        return Document.read(path)
    except YamlError as error:
        raise ConfigError(f"{path.name}:{error.line}: {error}.") from None


def _section(document: Document, keys: Keys) -> dict[str, Any]:
    found: object = document.data
    for depth in range(len(keys) + 1):
        if found is None:
            return {}
        if not isinstance(found, dict):
            shown = ".".join(map(str, keys[:depth])) or "the file"
            raise ConfigError(f"{document.where(keys[:depth])}: {shown} has to be a mapping of names.")
        if depth < len(keys):
            found = cast("dict[object, object]", found).get(keys[depth])
    return cast("dict[str, Any]", found)


def _resolve(value: object, document: Document, keys: Keys) -> object:
    """The value with what its `${env:NAME}` stand for."""
    if isinstance(value, list):
        return [_resolve(item, document, keys) for item in cast("list[object]", value)]
    if not isinstance(value, str):
        return value

    def look_up(match: re.Match[str]) -> str:
        found = environment(match[1])
        if found is None:
            raise ConfigError(
                f"{document.where(keys)} refers to {match[0]}, which is not set.",
                hint=f"Put {match[1]}=... into .env.",
            )
        return found

    return re.sub(r"\$\{env:([A-Za-z_][A-Za-z0-9_]*)\}", look_up, value)


_dotenv_read: tuple[tuple[Path, int, int], dict[str, str]] | None = None


def _dotenv() -> dict[str, str]:
    """What `.env` says; read again when it has changed, for it is asked about many names."""
    global _dotenv_read
    try:
        state = os.stat(".env")
    except OSError:
        return {}
    mark = (Path(".env").absolute(), state.st_mtime_ns, state.st_size)
    if _dotenv_read is None or _dotenv_read[0] != mark:
        from dotenv import dotenv_values

        found = {name: value for name, value in dotenv_values(".env").items() if value is not None}
        _dotenv_read = (mark, found)
    return _dotenv_read[1]


class Settings(BaseSettings):
    """Every setting of the server; each is also an argument of AgentRunServer, `AGENTRUN_<NAME>` and a key of `server:`."""

    model_config = SettingsConfigDict(
        env_prefix="AGENTRUN_", env_file=".env", env_ignore_empty=True, extra="ignore", frozen=True
    )

    host: str = Field(
        "127.0.0.1", description="Address to listen on. Other machines reach you only on 0.0.0.0 or ::."
    )
    port: int = Field(9000, ge=0, le=65535, description="Port; also read from `PORT`. 0 takes a free one.")
    uds: str | None = Field(None, description="Path of a Unix socket to listen on instead.")
    fd: int | None = Field(
        None, ge=0, description="File descriptor of a listening socket to take over instead."
    )
    prefix: str = Field("/openai/v1", description="Path before the OpenAI routes; `/v1` works as well.")
    models: Names = Field(["agentrun"], description="Names that `/models` lists.")
    strict_models: bool = Field(False, description="Refuse a `model` that is not in `models` with 404.")
    bot_id: str | None = Field(
        None, description="Id of this bot, `ibot-<name>-<tag>`; another one is refused with 404."
    )
    data: str = Field(".agentrun", description="Folder for what is kept.")
    sessions: str = Field(
        "sqlite",
        repr=False,
        description="Where sessions are kept: `sqlite` (in `data`), `memory`, `sqlite:///path` or `postgresql://...`.",
    )
    keep_sessions_s: float = Field(
        2_592_000.0, ge=0, description="A session of which nothing was heard so long is forgotten; 0: never."
    )
    when_busy: Literal["queue", "reject", "interrupt", "fork"] = Field(
        "queue", description="What becomes of a message while its session has a turn that goes on."
    )
    ask_timeout_s: float = Field(
        3600.0, gt=0, description="How long an agent that asked a human waits for the answer."
    )
    api_keys: Names = Field(
        [],
        repr=False,
        description="Keys that callers may use, separated by commas. None: no key is asked for.",
    )
    allow_anonymous: bool = Field(False, description="Serve a public address without keys.")
    cors_origins: Names = Field([], description="Origins whose browsers may call; closed by default.")
    push_hosts: Names = Field(
        [],
        description="Hosts inside the network, `host` or `host:port`, that push notifications may go to.",
    )
    protocols: Names | None = Field(
        None, description="Wires to serve, by name; all that are known if left out."
    )
    max_body_bytes: int = Field(10_000_000, ge=1, description="Largest request body.")
    max_runs: int = Field(4096, ge=1, description="Runs at the same time.")
    max_queued: int = Field(1024, ge=0, description="Requests that may wait for a place; one more gets 429.")
    queue_timeout_s: float = Field(30.0, ge=0, description="Longest wait for a place.")
    max_threads: int = Field(512, ge=1, description="Threads for sync agents.")
    first_event_timeout_s: float = Field(
        0.0, ge=0, description="Longest wait for an agent's first event; 0: no limit."
    )
    idle_timeout_s: float = Field(0.0, ge=0, description="Longest silence between two events; 0: no limit.")
    run_timeout_s: float = Field(0.0, ge=0, description="Longest Run; 0: no limit.")
    heartbeat_s: float = Field(15.0, gt=0, description="Silence after which a stream gets a comment line.")
    shutdown_timeout_s: float = Field(30.0, ge=0, description="How long SIGTERM lets open streams finish.")
    kept_runs: int = Field(256, ge=0, description="Finished Runs kept to be looked at and resumed.")
    kept_s: float = Field(300.0, ge=0, description="How long a finished Run is kept.")
    on_disconnect: Literal["cancel", "continue"] = Field(
        "cancel", description="What a Run does when its client has gone."
    )
    reasoning_field: ReasoningField = Field(
        "reasoning_content", description="Where chat answers carry reasoning."
    )
    workers: int = Field(1, ge=1, description="Server processes.")
    is_worker: bool = Field(False, description="Set by the process that starts the workers.")
    ssl_certfile: str | None = Field(None, description="TLS certificate.")
    ssl_keyfile: str | None = Field(None, description="TLS key.")
    ssl_keyfile_password: str | None = Field(None, repr=False, description="What the TLS key is locked with.")
    log_level: str = Field("info", description="Also read from `LOG_LEVEL`.")
    debug: bool = Field(False, description="Show callers the text of an agent's exception.")

    @field_validator("models", "api_keys", "cors_origins", "push_hosts", "protocols", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        return (
            [item.strip() for item in value.split(",") if item.strip()] if isinstance(value, str) else value
        )

    @field_validator("prefix")
    @classmethod
    def _path(cls, value: str) -> str:
        return "/" + value.strip("/") if value.strip("/") else ""

    @field_validator("bot_id")
    @classmethod
    def _bot(cls, value: str | None) -> str | None:
        return value if value is None else str(BotId.parse(value))

    @field_validator("log_level")
    @classmethod
    def _level(cls, value: str) -> str:
        known = ("critical", "error", "warning", "info", "debug", "trace")
        if value.lower() not in known:
            raise ValueError(f"it has to be one of {', '.join(known)}")
        return value.lower()

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return (
            init_settings,
            _Platform(settings_cls, os.environ),
            env_settings,
            _Platform(settings_cls, _dotenv()),
            dotenv_settings,
            _Yaml(settings_cls),
        )

    @property
    def is_public(self) -> bool:
        """Whether others than this machine can reach the server."""
        if self.uds is not None or self.host == "localhost":
            return False
        try:
            return not ip_address(self.host).is_loopback
        except ValueError:
            return True


def load(**arguments: Any) -> Settings:
    """The settings, from every source; a ConfigError names what is wrong and where it was set."""
    for name in arguments:
        if name not in Settings.model_fields:
            raise _no_setting(name)
    try:
        return Settings(**{name: value for name, value in arguments.items() if value is not None})
    except ValidationError as error:
        first = error.errors()[0]
        name = str(first["loc"][0]) if first["loc"] else "?"
        shown = repr(first["input"]) if Settings.model_fields[name].repr else "[redacted]"
        raise ConfigError(
            f"The setting {name} is {shown} ({_place(name, arguments)}): {first['msg']}.",
            hint=f"Set it as the argument {name}=, as {_variable(name)}, or under server: in agentrun.yaml.",
        ) from None


def _no_setting(name: object, place: str | None = None) -> ConfigError:
    from difflib import get_close_matches

    known = list(Settings.model_fields)
    near = get_close_matches(str(name), known, 1)
    hint = f"Did you mean {near[0]}?" if near else f"There are: {', '.join(known)}."
    said = f"there is no setting {name!r}."
    return ConfigError(f"{place}: {said}" if place else "T" + said[1:], hint=hint)


def _variable(name: str) -> str:
    return f"AGENTRUN_{name.upper()}"


def _place(name: str, arguments: Mapping[str, Any]) -> str:
    """Where the value that counts was set."""
    if arguments.get(name) is not None:
        return f"the argument {name}="
    for place, variables in (("the environment", os.environ), (".env", _dotenv())):
        for variable in (_UNPREFIXED.get(name), _variable(name)):
            if variable is not None and variables.get(variable):
                return f"{variable} in {place}"
    document = _project()
    places = [
        (*keys, name)
        for keys in _server_keys()
        if document and _section(document, keys).get(name) is not None
    ]
    return document.where(places[-1]) if document and places else "its default"


def worker_environment(fd: int) -> dict[str, str]:
    """The environment of a worker that takes over the listening socket `fd`."""
    return {**os.environ, "AGENTRUN_FD": str(fd), "AGENTRUN_IS_WORKER": "true"}


def refuse_open_door(settings: Settings) -> None:
    """A server that others can reach needs keys, or somebody's word that it does not."""
    if settings.is_public and not settings.api_keys and not settings.allow_anonymous:
        raise ConfigError(
            f"Refusing to listen on {settings.host} without API keys.",
            hint="Set AGENTRUN_API_KEYS, or AGENTRUN_ALLOW_ANONYMOUS=true if anyone may call.",
        )


def environment(name: str) -> str | None:
    """A variable of the environment, or of `.env`; empty is as good as none."""
    return os.environ.get(name) or _dotenv().get(name) or None


def environment_names() -> list[str]:
    """The variables that are set there."""
    return sorted({**_dotenv(), **os.environ})
