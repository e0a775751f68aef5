"""What `model()` of every integration looks up."""

from __future__ import annotations

from agentrun.models import Model, resolve
from agentrun.utils.config import Config


def named(name: str | Model | None, model: str | None, config: Config | None) -> Model:
    """The model of this name; `model` asks for another of the same provider."""
    arguments = {} if config is None else config.arguments()
    return resolve(name, **arguments, **({} if model is None else {"model": model}))
