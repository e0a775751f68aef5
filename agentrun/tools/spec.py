"""ToolsetSpec: what a person writes under `tools:` in agentrun.yaml."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, WithJsonSchema, field_validator, model_validator

_KINDS = ("functions", "mcp", "openapi", "folder")
_ONE_OR_MORE = {"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}]}


class Command(BaseModel):
    """A program that speaks MCP on its standard input and output."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    command: list[str] = Field(min_length=1)
    env: dict[str, str] = Field(default={}, description="Its environment, besides PATH and HOME.")
    cwd: str | None = None


class ToolsetSpec(BaseModel):
    """A group of tools: Python functions, an MCP server, an OpenAPI document, or a folder to search."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    functions: Annotated[list[str] | None, WithJsonSchema(_ONE_OR_MORE)] = Field(
        default=None, description="Python functions as module:name."
    )
    mcp: str | Command | None = Field(default=None, description="URL of an MCP server, or how to start one.")
    openapi: str | None = Field(default=None, description="File or URL of an OpenAPI document, YAML or JSON.")
    folder: str | None = Field(default=None, description="Folder of .md, .txt and .rst files to search.")
    base_url: str | None = Field(
        default=None, description="Where the API is, if not where the document says."
    )
    headers: dict[str, str] = Field(
        default={}, description="Sent with every request; put keys here by ${env:NAME}."
    )
    query: dict[str, str] = Field(default={}, description="Sent with every request, for keys in the query.")
    only: list[str] | None = Field(default=None, description="The tools to offer; all if left out.")
    allow_private: bool = Field(
        default=False, description="Let an OpenAPI document send requests to addresses inside the network."
    )
    timeout_s: float = Field(default=30.0, gt=0, description="Longest wait for a tool.")
    max_bytes: int = Field(default=200_000, ge=1, description="Longest output a tool may give.")

    @field_validator("functions", mode="before")
    @classmethod
    def _one_is_enough(cls, value: object) -> object:
        return [value] if isinstance(value, str) else value

    @model_validator(mode="after")
    def _one_kind(self) -> ToolsetSpec:
        given = [kind for kind in _KINDS if getattr(self, kind) is not None]
        if len(given) != 1:
            raise ValueError(f"it needs one of {', '.join(_KINDS)}")
        return self
