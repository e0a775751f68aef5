"""From a name to a Model: arguments, the environment, the project's files, the user's, what is at hand, builtin."""

from __future__ import annotations

from collections.abc import Mapping
from difflib import get_close_matches
from typing import Any

import msgspec
from pydantic import SecretStr, ValidationError

from agentrun import config, project
from agentrun.errors import ConfigError
from agentrun.models import builtin, local, presets
from agentrun.models.exchange import Exchange, Http
from agentrun.models.gguf import Gguf
from agentrun.models.model import Model
from agentrun.models.router import Router, Share
from agentrun.models.spec import BUILTIN, IN_PROCESS, LOCAL, ModelSpec
from agentrun.models.upstream import Upstream
from agentrun.project import Entry

DEFAULT = "default"
SECTION = "models"
_VARIABLE = "AGENTRUN_MODEL"
_SPARE_URL = "http://models.agentrun.invalid/v1"  # never connected to

_models: dict[tuple[str, str], Model] = {}
_upstreams: dict[tuple[str, str], Upstream] = {}


class Found(msgspec.Struct, frozen=True):
    """The spec under a name, and where it was found. `stands_in` for a model nobody configured."""

    spec: ModelSpec
    source: str
    stands_in: bool = False


def resolve(name: str | Model | None = None, **arguments: Any) -> Model:
    """The model of this name; without one, the default.

    Keyword arguments are the keys of a model in `agentrun.yaml` and win over what is found there.
    """
    if isinstance(name, Model):
        return name
    wanted = name or DEFAULT
    found = _find(wanted, arguments)
    # the same spec gives the same Model, and with it the same connections, limits and meter
    key = (wanted, _identity(found.spec))
    model = _models.get(key)
    if model is None:
        model = _models[key] = _build(wanted, found)
    return model


def names() -> dict[str, str]:
    """Every name that is configured, and where."""
    known = {name: entry.where for name, entry in project.section(SECTION).items()}
    prefix = _VARIABLE + "_"
    for variable in config.environment_names():
        if variable.startswith(prefix):
            known[variable.removeprefix(prefix).lower().replace("_", "-")] = f"environment {variable}"
    return known


def passed_over() -> list[str]:
    """Where a default model could have been set before the one that is used, in the order of looking."""
    if config.environment(_VARIABLE) is not None:
        return []
    missed = [f"{_VARIABLE} is not set"]
    if project.value("default_model") is not None:
        return missed
    missed.append("there is no default_model in agentrun.yaml")
    if _configured(DEFAULT) is not None:
        return missed
    missed.append(f"no model is called {DEFAULT}")
    if _first_with_key() is not None:
        return missed
    missed.append("no provider's key is set")
    return missed if local.find_again() is not None else [*missed, "no model server runs on this machine"]


def _find(name: str, arguments: Mapping[str, Any]) -> Found:
    found = _configured(name)
    if not arguments:
        return found or _at_hand(name)
    if found is None and not ({"provider", "base_url", "proxy"} & set(arguments)):
        found = _at_hand(name)
    given = {**(found.spec.model_dump(exclude_unset=True) if found else {}), **arguments}
    try:
        source = f"{found.source}, with arguments" if found else "arguments"
        return Found(ModelSpec.model_validate(given), source, found is not None and found.stands_in)
    except ValidationError as error:
        raise project.explain(error, name, ModelSpec, None) from None


def _configured(name: str) -> Found | None:
    """What the environment or a file says about this name."""
    if name == DEFAULT:
        chosen = config.environment(_VARIABLE)
        if chosen is not None:
            return _named(chosen, f"environment {_VARIABLE}")
        written = project.value("default_model")
        if written is not None:
            return _named(*written)
    variable = f"{_VARIABLE}_{''.join(c if c.isalnum() else '_' for c in name).upper()}"
    text = config.environment(variable)
    if text is not None:
        return Found(_from_variable(variable, name, text), f"environment {variable}")
    entry = project.section(SECTION).get(name)
    if entry is None:
        return None
    _refuse_written_key(name, entry)
    return Found(project.check(entry, name, ModelSpec), entry.where)


def _named(name: str, source: str) -> Found:
    """What a default that is itself a name stands for."""
    if name == DEFAULT:
        raise ConfigError(f"{source} makes the default model the default.", hint="Name another one.")
    found = _configured(name) or _preset(name)
    if found is None:
        raise _unknown(name, f" that {source} asks for")
    return Found(found.spec, f"{source}, {found.source}")


def _from_variable(variable: str, name: str, text: str) -> ModelSpec:
    try:
        written: Any = msgspec.json.decode(text) if text.startswith("{") else {"": text}
        return ModelSpec.model_validate(written)
    except msgspec.DecodeError as error:
        raise ConfigError(f"{variable} is no JSON: {error}.") from None
    except ValidationError as error:
        explained = project.explain(error, name, ModelSpec, None)
        raise ConfigError(f"{variable}: {explained.message}", hint=explained.hint) from None


def _refuse_written_key(name: str, entry: Entry) -> None:
    key = entry.fields.get("api_key")
    if isinstance(key, str) and not project.is_reference(key):
        raise ConfigError(
            f'{entry.place(("api_key",))}: the api_key of "{name}" is written out.',
            hint="Keep it in the environment and refer to it: api_key: ${env:MY_KEY}",
        )


def _at_hand(name: str) -> Found:
    """A model for a name that nobody configured: a provider's, a local server's, builtin, or none."""
    preset = _preset(name)
    if preset is not None:
        return preset
    if name in (DEFAULT, "local"):
        with_key = _first_with_key() if name == DEFAULT else None
        if with_key is not None:
            return with_key
        running = local.find_again()
        if running is not None:
            spec = ModelSpec(provider=running.provider, model=running.model, base_url=running.base_url)
            return Found(spec, f"{running.provider} runs on this machine")
    if _may_stand_in(name):
        return Found(
            ModelSpec(provider=BUILTIN),
            "nothing is configured; see docs/models.md for a real one",
            stands_in=True,
        )
    raise _unknown(name)


def _first_with_key() -> Found | None:
    """The first provider whose key is set, in the order of the table."""
    for provider, known in presets.PRESETS.items():
        if known.key and known.model and config.environment(known.key):
            return Found(ModelSpec(provider=provider, model=known.model), f"{known.key} is set")
    return None


def _preset(name: str) -> Found | None:
    provider, slash, model = name.partition("/")
    if name == BUILTIN:
        return Found(ModelSpec(provider=BUILTIN), "named")
    if provider == LOCAL and model:
        return Found(ModelSpec(provider=LOCAL, model=model), "named")
    known = presets.find(provider)
    if known is None or (slash and not model):
        return None
    return Found(ModelSpec(provider=known[0], model=model or known[1].model), "named")


def _may_stand_in(name: str) -> bool:
    """Builtin answers where nothing real could have been meant, and never in production."""
    if project.in_production() or names() or project.value("default_model") is not None:
        return False
    return name != "local" and not any(config.environment(key) for key in presets.KEYS)


def _unknown(name: str, why: str = "") -> ConfigError:
    known = names()
    near = get_close_matches(name, [*known, BUILTIN, *presets.PRESETS], 1)
    listed = ", ".join(sorted(known)) or "none is configured"
    meant = f"Did you mean {near[0]}? " if near else ""
    where = " Profile: " + project.profile() + "." if project.in_production() else ""
    return ConfigError(
        f'There is no model "{name}"{why}; there are: {listed}.{where}',
        hint=f"{meant}Add to agentrun.yaml:\nmodels:\n  {name}:\n    provider: deepseek",
    )


# --- building


def _build(name: str, found: Found) -> Model:
    spec = _with_usual_model(found.spec)
    if spec.proxy is None:
        upstream, base_url = _upstream(name, spec)
        return Model(
            name,
            spec,
            Router(name, [Share(upstream)]),
            base_url=base_url,
            source=found.source,
            stands_in=found.stands_in,
        )
    shares: list[Share] = []
    for target in spec.proxy:
        behind = _configured(target.model) or _preset(target.model)
        if behind is None:
            raise _unknown(target.model, f' that "{name}" stands before')
        if behind.spec.proxy is not None:
            raise ConfigError(f'"{name}" stands before "{target.model}", which is a proxy itself.')
        upstream, _ = _upstream(target.model, _with_usual_model(behind.spec))
        shares.append(Share(upstream, target.weight))
    router = Router(name, shares, weighted=spec.strategy == "weighted")
    return Model(name, spec, router, base_url=_SPARE_URL, source=found.source)


def _with_usual_model(spec: ModelSpec) -> ModelSpec:
    if spec.provider == BUILTIN:
        return spec.model_copy(update={"model": BUILTIN})
    preset = presets.find(spec.provider) if spec.provider and spec.model is None else None
    return spec.model_copy(update={"model": preset[1].model}) if preset else spec


def _upstream(name: str, spec: ModelSpec) -> tuple[Upstream, str]:
    """One for each spec, so that a model and the proxies before it share its limits."""
    base_url = _address(name, spec)
    key = (name, _identity(spec))
    known = _upstreams.get(key)
    if known is None:
        exchange = _exchange(name, spec, base_url)
        known = _upstreams[key] = Upstream(name, spec, exchange)
        if spec.max_usd_per_day is not None and known.meter.price is None:
            raise ConfigError(
                f'"{name}" has max_usd_per_day, but what {spec.model or name} costs is not known.',
                hint="Add price: {input: ..., output: ...} in US dollars per million tokens.",
            )
    return known, base_url


def _exchange(name: str, spec: ModelSpec, base_url: str) -> Exchange:
    if spec.provider == BUILTIN:
        return builtin.Builtin()
    return Gguf(name, spec) if spec.provider == LOCAL else _http(name, spec, base_url)


def _address(name: str, spec: ModelSpec) -> str:
    if spec.provider in IN_PROCESS:
        return _SPARE_URL
    preset = presets.find(spec.provider) if spec.provider else None
    base_url = spec.base_url or (preset[1].base_url if preset else None)
    if base_url is None:
        raise ConfigError(
            f'"{name}" needs a base_url: every customer of {spec.provider} has another.',
            hint="For Azure: https://RESOURCE.openai.azure.com/openai/v1",
        )
    return base_url


def _http(name: str, spec: ModelSpec, base_url: str) -> Http:
    preset = presets.find(spec.provider) if spec.provider else None
    key = spec.api_key.get_secret_value() if isinstance(spec.api_key, SecretStr) else None
    if preset is not None and key is None and preset[1].key is not None:
        key = config.environment(preset[1].key)
        if key is None and spec.base_url is None:
            raise ConfigError(
                f'"{name}" is a model of {preset[0]}, whose key is not set.',
                hint=f"Put {preset[1].key}=... into .env.",
            )
    return Http(spec, base_url, key, preset[1].key_header if preset else None)


def _identity(spec: ModelSpec) -> str:
    key = spec.api_key.get_secret_value() if spec.api_key else ""
    return f"{hash(key)}{spec.model_dump_json()}"


def forget() -> None:
    """Resolve everything anew, as a test of another configuration wants it."""
    _models.clear()
    _upstreams.clear()
