"""Driver: what makes instances exist. It starts and stops; it does not decide, route or probe."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Literal, Protocol, TypeAlias

import msgspec

from agentrun.resources import HealthCheck, Limits

# exec: commands beside an instance; warm: a preloaded parent; hard_limits: the kernel holds them, for all processes
# of an instance together; isolation: an instance sees no more files than it was given
Capability: TypeAlias = Literal["exec", "warm", "hard_limits", "isolation"]


class Launch(msgspec.Struct, frozen=True, omit_defaults=True):
    """All that an instance is started with."""

    instance: str  # `c-` and random digits
    version: str  # my-agent@3
    command: tuple[str, ...]
    folder: str  # of the code: where the command runs
    environment: dict[str, str]  # the whole of it, but PORT and the ids, which the driver adds
    log: str  # folder for what is printed
    data: str = ""  # folder that it may write to, and finds as AGENTRUN_DATA
    readable: tuple[str, ...] = ()  # what else it may read: its packages, its interpreter
    isolated: bool = True  # it sees its own folders and the system's only
    port: int = 0  # none: any that is free
    limits: Limits = Limits()
    health: HealthCheck = HealthCheck()
    grace_s: float = 30.0  # between SIGTERM and SIGKILL
    masked: tuple[str, ...] = ()  # variables whose values are taken out of what is printed
    preload: bool = False  # keep a parent that has imported what its Python program imports, to fork it from


class Handle(msgspec.Struct, frozen=True, omit_defaults=True):
    """An instance that exists."""

    id: str
    version: str
    host: str
    port: int
    pid: int
    started_at: float
    launch: Launch  # without its environment
    enforced_by: str = ""  # cgroup or rlimit


class Ended(msgspec.Struct, frozen=True, omit_defaults=True):
    """An instance that exists no more, and why."""

    id: str
    reason: str  # exited with 1; killed by SIGKILL; used more memory than its 512 MB
    asked: bool = False  # by `stop`
    lost: bool = False  # what kept it has ended, and it with that: no fault of its own


class Stats(msgspec.Struct, frozen=True):
    """What an instance has used so far, and uses."""

    cpu_s: float
    memory_mb: float
    processes: int = 1


class Exec(Protocol):
    """A command that runs beside an instance. With a terminal, both outputs come as one."""

    async def read(self) -> bytes:
        """What it printed next; empty at its end."""
        ...

    async def write(self, data: bytes) -> None:
        """To its standard input; empty closes it."""
        ...

    def resize(self, rows: int, columns: int) -> None: ...

    async def wait(self) -> int:
        """Its exit code."""
        ...

    async def kill(self) -> None: ...


class Driver(Protocol):
    """All operations may be repeated, and those on an instance that is gone do nothing."""

    name: str
    capabilities: frozenset[Capability]

    async def open(self, on_end: Callable[[Ended], None]) -> Sequence[Handle]:
        """Begin, and tell what runs already. `on_end` is called once for each instance that ends from now on."""
        ...

    async def start(self, launch: Launch) -> Handle:
        """Returns when it exists, not when it answers. DriverError where it cannot be started."""
        ...

    async def stop(self, instance: str, *, grace_s: float) -> None:
        """Ask it to end, make it end after `grace_s`, and return when nothing of it is left."""
        ...

    async def list(self) -> Sequence[Handle]: ...

    async def stats(self) -> Mapping[str, Stats]:
        """Of all instances, by id."""
        ...

    async def exec(
        self, instance: str, argv: Sequence[str], *, folder: str = "", terminal: bool = False
    ) -> Exec:
        """In a folder of the code, which is at `/app`, or anywhere."""
        ...

    def owns(self, pid: int) -> bool:
        """Whether a process of this machine is a part of an instance, or of a command beside one: those may not
        command the platform. Of one that is gone nobody knows, so it may be.
        """
        ...

    async def close(self, *, stop: bool) -> None:
        """Leave; without `stop` what runs goes on, for the next one that opens this driver."""
        ...
