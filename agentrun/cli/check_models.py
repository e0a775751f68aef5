"""What `agentrun doctor` says of models and tools: what each name stands for, what the default is, and why."""

from __future__ import annotations

from collections.abc import Iterator

from agentrun import config, project, tools
from agentrun.cli.check import Check
from agentrun.errors import ConfigError
from agentrun.models import Model, names, passed_over, presets, resolve

_TOPIC = "models"
_ADVICE = "Put a provider's key into .env, such as DEEPSEEK_API_KEY=..., or a model into agentrun.yaml"


def model_checks() -> Iterator[Check]:
    """The profile and the keys that count, the default model, and every model and toolset that has a name."""
    yield Check(_TOPIC, "profile", "ok", project.profile())
    yield _keys()
    try:
        yield _default()
        for name in sorted(names()):
            yield _named(name)
        for name, where in sorted(tools.names().items()):
            yield Check("toolsets", name, "ok", where, f"What it has: agentrun tools list {name}")
    except ConfigError as error:  # of a file, and so of all that it holds
        yield Check(_TOPIC, "configuration", "missing", error.message, error.hint)


def _keys() -> Check:
    """Names only: a value must never reach the screen."""
    found = [name for name in config.environment_names() if name.endswith("_API_KEY")]
    if found:
        return Check(_TOPIC, "keys", "ok", ", ".join(found))
    return Check(_TOPIC, "keys", "absent", "none set", f"Known are: {', '.join(presets.KEYS)}")


def _default() -> Check:
    try:
        model = resolve()
    except ConfigError as error:
        return Check(_TOPIC, "default", "missing", error.message, error.hint)
    looked = passed_over()
    why = f"Looked at before: {'; '.join(looked)}." if looked else None
    if model.stands_in:
        return Check(_TOPIC, "default", "absent", _described(model), f"{why} {_ADVICE}.")
    return Check(_TOPIC, "default", "ok", _described(model), why)


def _named(name: str) -> Check:
    try:
        return Check(_TOPIC, name, "ok", _described(resolve(name)))
    except ConfigError as error:
        return Check(_TOPIC, name, "missing", error.message, error.hint)


def _described(model: Model) -> str:
    if model.is_builtin:
        return model.describe()
    prices = [meter.price for meter in model.meters]
    if None in prices:
        return f"{model.describe()} Its price is not known."
    dollars = ", ".join(f"{price.input:g} in, {price.output:g} out" for price in prices if price is not None)
    return f"{model.describe()} USD per million tokens: {dollars}."
