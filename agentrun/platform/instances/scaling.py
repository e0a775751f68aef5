"""How many instances a version is to have. Pure."""

from __future__ import annotations

import math
from collections.abc import Sequence

import msgspec

from agentrun.resources import Scale

_FIRST_PAUSE_S = 1.0
_LONGEST_PAUSE_S = 60.0


class Load(msgspec.Struct, frozen=True):
    """What a version's instances have to do, and how they cope. The last two are shares of their limits."""

    busy: int = 0  # requests that they answer, or with isolation sessions that they hold
    queued: int = 0
    per_instance: int = 1
    cpu: float = 0.0
    memory: float = 0.0


def wanted(scale: Scale, load: Load, running: int, *, floor: int = 0) -> int:
    """As many as the requests need; more where CPU or memory are above their targets."""
    needed = math.ceil((load.busy + load.queued) / load.per_instance)
    if running and load.busy:
        for used, target in ((load.cpu, scale.cpu_target), (load.memory, scale.memory_target)):
            if target and used > target:
                needed = max(needed, math.ceil(running * used / target))
    return min(max(needed, scale.min, floor), scale.max)


def surplus(idle_s: Sequence[float], scale: Scale, count: int, target: int) -> int:
    """How many of the instances that have been idle for these seconds may end."""
    patient = sum(1 for seconds in idle_s if seconds >= scale.idle_s)
    return max(0, min(patient, count - target))


def pause_s(failures: int) -> float:
    """How long to wait after so many failures in a row: not at all after the first."""
    if failures <= 1:
        return 0.0
    return min(_FIRST_PAUSE_S * 2 ** (failures - 2), _LONGEST_PAUSE_S)
