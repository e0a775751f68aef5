"""Core: the parts of a platform, and how what the store says becomes what runs."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from functools import partial
from typing import TypeVar

import msgspec

from agentrun.errors import AgentRunError
from agentrun.platform import plan, traffic
from agentrun.platform.builds import Environments, Packages
from agentrun.platform.drivers.driver import Launch
from agentrun.platform.fleet import Fleet
from agentrun.platform.keys import Keys
from agentrun.platform.launch import Places, launch_of
from agentrun.platform.secrets import Secrets
from agentrun.platform.store import Records, Store
from agentrun.resources import Condition, Endpoint, Rollout, Runtime, Version

T = TypeVar("T")

_log = logging.getLogger(__name__)
_GONE_S = 60.0
_BEGIN_S = 10.0
_LOOK_S = 0.05


class Snapshot(msgspec.Struct, frozen=True):
    """What the store says at one moment."""

    runtimes: dict[str, Runtime]
    versions: tuple[Version, ...]
    endpoints: tuple[Endpoint, ...]
    rollouts: tuple[Rollout, ...]


class Core:
    """See the module. All of it is used on one loop; the store, in threads."""

    def __init__(
        self,
        *,
        store: Store,
        routes: traffic.Routes,
        fleet: Fleet,
        packages: Packages,
        environments: Environments,
        secrets: Secrets,
        keys: Keys,
        places: Places,
        clock: Callable[[], float],
        driver: str = "local",
    ) -> None:
        self.driver = driver
        self.store, self.routes, self.fleet = store, routes, fleet
        self.packages, self.environments = packages, environments
        self.secrets, self.keys, self.places, self.clock = secrets, keys, places, clock
        self.warm: dict[tuple[str, int], float] = {}
        self.snapshot = Snapshot({}, (), (), ())
        self.is_stale = False  # it could not be applied yet
        self._starting: dict[str, Version] = {}
        self._launches: dict[str, Launch] = {}
        self._unable: dict[str, str] = {}
        self._table = traffic.Table()
        self._applying = asyncio.Lock()
        self._locks: dict[str, asyncio.Lock] = {}

    def lock(self, runtime: str) -> asyncio.Lock:
        """One change to a runtime at a time."""
        return self._locks.setdefault(runtime, asyncio.Lock())

    async def records(self, act: Callable[[Records], T]) -> T:
        """What `act` gives, in one transaction."""
        return await asyncio.to_thread(self._in_transaction, act)

    def _in_transaction(self, act: Callable[[Records], T]) -> T:
        with self.store.transaction() as records:
            return act(records)

    async def refresh(self) -> None:
        """Let the routes and the instances be what the store says."""
        self.is_stale = True
        async with self._applying:
            self.snapshot = found = await self.records(_read)
            table = traffic.table(found.endpoints, found.versions, found.rollouts)
            self._keep_warm(table)
            self._table = table
            self.routes.replace(table)
            await self._want()
            self.is_stale = False

    async def again(self) -> None:
        """Let time pass: what was kept warm long enough is so no more. What could not be applied is tried again."""
        if self.is_stale:
            await self.refresh()
        async with self._applying:
            await self._want()

    async def _want(self) -> None:
        now = self.clock()
        self.warm = {address: until for address, until in self.warm.items() if until > now}
        versions = [version for version in self.snapshot.versions if self._can_launch(version)]
        await self.fleet.want(
            plan.wanted(
                versions,
                self.snapshot.runtimes,
                self._table,
                starting=self._starting.values(),
                warm=self.warm,
                now=now,
                launch=self.launch,
            )
        )

    def _keep_warm(self, table: traffic.Table) -> None:
        """What has lost its traffic stays up for a while, so that a rollback finds it there."""
        lost = plan.serving(self._table) - plan.serving(table)
        running = {(instance.runtime, instance.version) for instance in self.fleet.list()}
        known = {(version.runtime, version.number): version for version in self.snapshot.versions}
        for address in lost & running & known.keys():
            self.warm[address] = self.clock() + known[address].definition.scale.keep_s

    def launch(self, version: Version) -> Launch:
        """What a version's instances are started with; the same for all its life."""
        found = self._launches.get(version.id)
        if found is None:
            found = self._launches[version.id] = launch_of(version, self.places, self.secrets.read)
        return found

    def _can_launch(self, version: Version) -> bool:
        """Whether all that a version needs is on this machine; if not, the others still run."""
        try:
            self.launch(version)
        except AgentRunError as error:
            if version.id not in self._unable:
                _log.error("%s cannot be started: %s", version.id, error)
            self._unable[version.id] = str(error)
            return False
        self._unable.pop(version.id, None)
        return True

    def conditions(self, version: Version) -> list[Condition]:
        """What is not as it should be with a version."""
        unable = self._unable.get(version.id)
        own = [Condition("Launchable", ok=False, reason="Missing", message=unable)] if unable else []
        return [*own, *self.fleet.conditions(version.id)]

    async def bring_up(self, version: Version) -> None:
        """Return when an instance of a version that is not recorded yet answers; NotReady otherwise."""
        self.launch(version)
        self._starting[version.id] = version
        try:
            await self.again()
            health = version.definition.health
            # its instance has its time from when it exists, and says better what was wrong
            wait_s = health.initial_delay_s + health.start_timeout_s + _BEGIN_S
            await self.fleet.wait_ready(version.id, wait_s)
        except BaseException:
            self._starting.pop(version.id, None)
            self._launches.pop(version.id, None)
            await asyncio.shield(self._let_go(version))
            raise

    def is_up(self, version: Version) -> None:
        """From now on the store says what is wanted of it."""
        self._starting.pop(version.id, None)

    async def forget(self, version: Version) -> None:
        """A version that came up and was not recorded."""
        self.is_up(version)
        self._launches.pop(version.id, None)
        await self._let_go(version)

    async def forget_runtime(self, runtime: str) -> None:
        """Nothing of a removed runtime is left; its name can be used again."""
        for name in [name for name in self._launches if name.rpartition("@")[0] == runtime]:
            del self._launches[name]
        await self.refresh()
        await self._gone(lambda: not self.fleet.list(runtime))

    async def _let_go(self, version: Version) -> None:
        await self.again()
        await self._gone(partial(self._has_none, version))

    def _has_none(self, version: Version) -> bool:
        return all(instance.version != version.number for instance in self.fleet.list(version.runtime))

    async def _gone(self, is_gone: Callable[[], bool]) -> None:
        """An instance's end has no event here, and takes a moment."""
        left = _GONE_S
        while not is_gone() and left > 0:
            await asyncio.sleep(_LOOK_S)
            left -= _LOOK_S


def _read(records: Records) -> Snapshot:
    return Snapshot(
        {runtime.name: runtime for runtime in records.runtimes()},
        tuple(records.versions()),
        tuple(records.endpoints()),
        tuple(records.running_rollouts()),
    )
