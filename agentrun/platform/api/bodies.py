"""What may be sent to the control API."""

from __future__ import annotations

import msgspec

from agentrun.resources import Canary, Scope, Testers
from agentrun.resources.nouns import Count


class Build(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which package, and for what."""

    package: str
    language: str = "custom"


class Publish(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An endpoint; what is left out stays as it is."""

    version: int | None = None
    weight: float | None = None
    canary: Canary | None = None
    description: str | None = None


class Label(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What people call a version."""

    description: str = ""


class Reserve(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Requests at a time that are kept warm for."""

    reserved: int


class Start(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A gray release: which version, and what it may do before it goes."""

    version: int | None = None
    max_error_rate: float = 0.05
    max_latency_ms: float | None = None


class Percent(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A share, of 100."""

    percent: float


class Why(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Why a release goes back."""

    why: str = ""


class Value(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A secret's value."""

    value: str


class MakeKey(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A key: what it may do, for which runtimes, how often."""

    name: str
    scopes: tuple[Scope, ...]
    runtimes: tuple[str, ...] = ()
    per_minute: Count = 600
    trusted: bool = False


Test = Testers
