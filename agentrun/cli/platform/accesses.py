"""Named platforms, as `agentrun config` keeps them: this machine's, or a URL and a key. Only this user can read them."""

from __future__ import annotations

import os
from pathlib import Path

import msgspec

from agentrun.errors import ConfigError

DEFAULT = "default"
LOCAL = "local"


class Named(msgspec.Struct, frozen=True, omit_defaults=True):
    """One of them; without a URL it is this machine's."""

    url: str | None = None
    key: str | None = None

    def shown(self) -> dict[str, str | None]:
        """Without the key's text."""
        return {"url": self.url or LOCAL, "key": f"{self.key[:8]}…" if self.key else None}


def _file() -> Path:
    return Path.home() / ".agentrun" / "access.json"


def known() -> dict[str, Named]:
    """Every one; `default` and `local` are this machine's unless they are said to be something else."""
    try:
        found = msgspec.json.decode(_file().read_bytes(), type=dict[str, Named])
    except FileNotFoundError:
        found = {}
    except (msgspec.DecodeError, msgspec.ValidationError) as error:
        raise ConfigError(
            f"{_file()} cannot be read: {error}.", hint="Move it away and add them again."
        ) from None
    return {DEFAULT: Named(), LOCAL: Named(), **found}


def get(name: str) -> Named:
    """One of them by its name."""
    found = known().get(name)
    if found is None:
        raise ConfigError(
            f'There is no access "{name}".',
            hint=f"Run: agentrun config add {name}. There are: {', '.join(known())}.",
        )
    return found


def put(name: str, access: Named) -> None:
    _write({**known(), name: access})


def remove(name: str) -> None:
    get(name)
    _write({each: access for each, access in known().items() if each != name})


def _write(accesses: dict[str, Named]) -> None:
    path = _file()
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    new = path.with_suffix(".new")
    with open(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        file.write(msgspec.json.format(msgspec.json.encode(accesses)))
    new.replace(path)
