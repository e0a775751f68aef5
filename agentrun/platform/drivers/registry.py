"""The drivers there are: built in, and from other packages by the entry point `agentrun.drivers`."""

from __future__ import annotations

from collections.abc import Callable
from importlib.metadata import entry_points
from pathlib import Path
from typing import TypeAlias

from agentrun.errors import ConfigError
from agentrun.platform.drivers.driver import Driver
from agentrun.utils.lazy import load

GROUP = "agentrun.drivers"
BUILTIN = {"local": "agentrun.platform.drivers.local:LocalDriver"}

Make: TypeAlias = "Callable[[Path], Driver]"  # with a folder that is its own


def names() -> list[str]:
    """Of all of them."""
    return [*BUILTIN, *(point.name for point in entry_points(group=GROUP) if point.name not in BUILTIN)]


def named(name: str) -> Make:
    """What makes the driver of this name."""
    if name in BUILTIN:
        return load(BUILTIN[name])
    for point in entry_points(group=GROUP):
        if point.name == name:
            return point.load()
    raise ConfigError(
        f'There is no driver "{name}" for AGENTRUN_PLATFORM_DRIVER.', hint=f"There are: {', '.join(names())}."
    )
