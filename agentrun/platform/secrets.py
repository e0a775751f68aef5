"""Secrets: their values in files that only this user can read, one for each revision. The store knows names only."""

from __future__ import annotations

import os
import re
from pathlib import Path

from agentrun.errors import ConfigError, RequestError
from agentrun.platform.disk import settle
from agentrun.resources import SecretRef

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,127}")


class Secrets:
    """A folder of values."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)

    def write(self, ref: SecretRef, value: str) -> None:
        """Keep a value; on the disk before this returns."""
        path = self._path(ref)
        new = path.with_suffix(".new")
        with open(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
            file.write(value)
        settle(new)
        new.replace(path)
        settle(self._folder)

    def read(self, ref: SecretRef) -> str:
        try:
            return self._path(ref).read_text("utf-8")
        except FileNotFoundError:
            raise ConfigError(
                f"The value of secret {ref.name} (revision {ref.revision}) is gone.",
                hint=f"Run: agentrun secrets set {ref.name}, and deploy again.",
            ) from None

    def _path(self, ref: SecretRef) -> Path:
        return self._folder / f"{ref.name}.{ref.revision}"


def check_name(name: str) -> None:
    """A secret's name is that of a variable."""
    if not _NAME.fullmatch(name):
        raise RequestError(
            f"{name!r} is no name of a secret.", hint="Letters, digits and _ make a name, as of a variable."
        )
