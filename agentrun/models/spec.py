"""ModelSpec: what a person writes under `models:` in agentrun.yaml."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr, model_validator

from agentrun.models import presets

BUILTIN = "builtin"
LOCAL = "local"
IN_PROCESS = (BUILTIN, LOCAL)


class Price(BaseModel):
    """US dollars per million tokens."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    input: float = Field(ge=0)
    output: float = Field(ge=0)
    cached_input: float | None = Field(
        default=None, ge=0, description="Input read from the provider's cache."
    )
    up_to: int | None = Field(
        default=None, gt=0, description="Input tokens of a request above which this is not its price."
    )


def _or_name(schema: dict[str, Any]) -> None:
    whole = dict(schema)
    schema.clear()
    schema["anyOf"] = [{"type": "string"}, whole]


class Target(BaseModel):
    """One of the models behind a proxy."""

    model_config = ConfigDict(extra="forbid", frozen=True, json_schema_extra=_or_name)

    model: str = Field(description="A name from `models:`, or `provider/model`.")
    weight: float = Field(
        default=1.0, ge=0, description="Its share of the requests where the strategy is weighted."
    )

    @model_validator(mode="before")
    @classmethod
    def _short(cls, value: Any) -> Any:
        return {"model": value} if isinstance(value, str) else value


class ModelSpec(BaseModel):
    """A model by name: one behind an OpenAI-compatible address, or a proxy in front of several.

    The short form `name: provider/model` is the same as giving `provider` and `model`.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    provider: str | None = Field(
        default=None, description=f"{BUILTIN}, {LOCAL} (a file), or one of: {', '.join(presets.PRESETS)}."
    )
    model: str | None = Field(
        default=None, description=f"The name the provider gives the model; of a {LOCAL} one, its GGUF file."
    )
    base_url: str | None = Field(default=None, description="Address of an OpenAI-compatible API, up to /v1.")
    api_key: SecretStr | None = Field(default=None, description="A reference such as ${env:MY_KEY}.")
    headers: dict[str, str] = Field(default={}, description="Sent with every request.")
    body: dict[str, Any] = Field(default={}, description="Merged into every request, such as temperature.")
    price: Price | None = Field(default=None, description="US dollars per million tokens.")

    proxy: Annotated[list[Target], Field(min_length=1)] | None = Field(
        default=None, description="Several models behind this name."
    )
    strategy: Literal["fallback", "weighted"] = Field(
        default="fallback",
        description="In the order written, or by weight; either way the next follows a failure.",
    )

    timeout_s: float = Field(default=600.0, gt=0, description="Longest silence of the provider.")
    connect_timeout_s: float = Field(default=10.0, gt=0, description="Longest wait for a connection.")
    first_byte_timeout_s: float | None = Field(
        default=None, gt=0, description="Longest wait for the answer to begin."
    )
    retries: int = Field(
        default=2, ge=0, le=10, description="Tries after the first, before the answer has begun."
    )
    max_concurrency: int | None = Field(default=None, ge=1, description="Requests at the same time.")
    context_tokens: int = Field(
        default=8192, ge=1, description=f"Longest conversation of a {LOCAL} model; more takes more memory."
    )
    max_usd_per_day: float | None = Field(
        default=None, ge=0, description="Spending per day (UTC) and process."
    )
    breaker_failures: int = Field(
        default=5, ge=1, description="Failures in a row that take it out of service."
    )
    breaker_pause_s: float = Field(default=30.0, gt=0, description="How long it then stays out.")

    @model_validator(mode="before")
    @classmethod
    def _short(cls, value: Any) -> Any:
        if isinstance(value, dict) and list(value) == [""]:  # pyright: ignore[reportUnknownArgumentType]
            value = value[""]  # pyright: ignore[reportUnknownVariableType]
        if not isinstance(value, str):
            return value  # pyright: ignore[reportUnknownVariableType]
        provider, slash, model = value.partition("/")
        return {"provider": provider, "model": model if slash else None}

    @model_validator(mode="after")
    def _whole(self) -> ModelSpec:
        if self.proxy is not None:
            for field in ("provider", "model", "base_url", "api_key"):
                if getattr(self, field) is not None:
                    raise ValueError(f"a proxy has no {field}; its models have")
            return self
        if self.provider is None and self.base_url is None:
            raise ValueError("it needs a provider, a base_url or a proxy")
        if self.provider not in (None, *IN_PROCESS) and presets.find(self.provider) is None:
            known = ", ".join((*IN_PROCESS, *presets.PRESETS))
            raise ValueError(
                f"there is no provider {self.provider!r}; there are {known}, and base_url for any other"
            )
        return self
