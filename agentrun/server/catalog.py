"""Catalog: the model names that this server answers to."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import msgspec

from agentrun.errors import NotFound

_SINCE = 1_735_689_600  # clients want a time; a name of ours has none


class Model(msgspec.Struct):
    """A name, as OpenAI's clients list them."""

    id: str
    object: Literal["model"] = "model"
    created: int = _SINCE
    owned_by: str = "agentrun"


class ModelList(msgspec.Struct):
    """All names."""

    data: list[Model]
    object: Literal["list"] = "list"


class Catalog:
    """Lists the names; where it is `strict`, other names are refused."""

    def __init__(self, names: Sequence[str], *, strict: bool) -> None:
        self._names = names
        self._strict = strict

    def check(self, name: str | None) -> None:
        """Whether a request may ask for this one."""
        if self._strict and name is not None:
            self.get(name)

    def get(self, name: str) -> Model:
        if name not in self._names:
            raise NotFound(
                f"The model {name!r} does not exist.",
                hint=f"This server has: {', '.join(self._names)}.",
                param="model",
                code="model_not_found",
            )
        return Model(name)

    def list(self) -> ModelList:
        return ModelList([Model(name) for name in self._names])
