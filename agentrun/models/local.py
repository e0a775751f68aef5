"""Model servers that run on this machine, found on the ports they usually listen on."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor

import msgspec

from agentrun.models.exchange import model_names
from agentrun.models.http import httpx
from agentrun.models.presets import PRESETS

_PATIENCE_S = 0.3
_VALID_S = 30.0


class Local(msgspec.Struct, frozen=True):
    """A server that answered, and the first of its models."""

    provider: str
    base_url: str
    model: str


_found: tuple[float, Local | None] | None = None


def find_again() -> Local | None:
    """What was found a moment ago is taken as it was."""
    global _found
    if _found is None or time.monotonic() - _found[0] > _VALID_S:
        _found = (time.monotonic(), find())
    return _found[1]


def find(addresses: dict[str, str] | None = None) -> Local | None:
    """The first that answers with a list of models, in the order of the table."""
    known = addresses or {name: p.base_url for name, p in PRESETS.items() if p.local and p.base_url}
    with ThreadPoolExecutor(len(known)) as threads:
        answers = list(threads.map(_first_model, known.values()))
    for (provider, base_url), model in zip(known.items(), answers, strict=True):
        if model is not None:
            return Local(provider, base_url, model)
    return None


def _first_model(base_url: str) -> str | None:
    try:
        # a proxy of the environment is for other machines; plain HTTP needs no certificates, which take long to read
        with httpx.Client(timeout=_PATIENCE_S, trust_env=False, verify=False) as client:
            answer = client.get(base_url + "/models")
    except httpx.HTTPError:
        return None
    names = model_names(answer.content) if answer.is_success else []
    return names[0] if names else None
