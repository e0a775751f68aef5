"""Names that are imported when they are needed."""

from __future__ import annotations

from importlib import import_module
from typing import Any


def load(path: str) -> Any:
    """The object that `package.module:name` stands for."""
    module, _, name = path.partition(":")
    return getattr(import_module(module), name)
