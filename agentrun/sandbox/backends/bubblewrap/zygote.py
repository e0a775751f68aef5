"""A warm parent as the outside sees it: one bwrap with everything loaded, from which sandboxes are forked."""

from __future__ import annotations

import asyncio
import compileall
import os
import shutil
import socket
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from agentrun.errors import ConfigError, SandboxCrashed, SandboxUnavailable
from agentrun.sandbox import guest
from agentrun.sandbox.backend import Mount
from agentrun.sandbox.backends.bubblewrap import filter, interpreters, launch, needs, world
from agentrun.sandbox.backends.bubblewrap.cgroups import Group, hierarchies
from agentrun.sandbox.backends.bubblewrap.handshake import Said, first_word, listener_of, tell_pid
from agentrun.sandbox.backends.bubblewrap.keeper import Keeper
from agentrun.sandbox.backends.bubblewrap.world import Interpreter, World
from agentrun.sandbox.local.box import Guest
from agentrun.sandbox.local.channel import Channel, frame
from agentrun.sandbox.template import Limits, Template
from agentrun.sandbox.values import HOME, Isolation
from agentrun.utils import portal

_BOOT_S = 60.0
_SPAWN_S = 20.0
_PARTING_S = 5.0
# what many sandboxes need is loaded once for all of them
_FOR_MOST = ("base64", "json", "linecache", "subprocess", "traceback", "typing")


class NoNesting(SandboxUnavailable):
    """The system lets nobody make namespaces below those of bwrap."""


class Zygote:
    """Started by `start`, on the loop that keeps it."""

    def __init__(self, world: World, preload: Sequence[str], nested: bool, flat: Limits | None) -> None:
        self.world = world
        self._preload = preload
        self._nested = nested
        self._flat = flat
        self.born_s = time.monotonic()
        self.sandboxes = 0
        self._retired = False
        self._keeper: Keeper | None = None
        self._channel: Channel | None = None
        self._complaints = tempfile.TemporaryFile()
        self._ready: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    @classmethod
    async def start(
        cls, template: Template, mounts: Sequence[Mount], *, alone: bool = False, flat: bool = False
    ) -> Zygote:
        """It need not be ready yet. `alone`: for one sandbox. `flat`: for one as well, which bwrap furnishes itself."""
        python = await interpreters.of(template)
        if not _compiled:
            await asyncio.to_thread(_compile_guest)
        zygote = cls(
            _world(python, mounts),
            template.preload if alone or flat else [*_FOR_MOST, *template.preload],
            template.type.has_browser,
            template.limits if flat else None,
        )
        try:
            zygote._begin()
        except BaseException:
            zygote.close()
            raise
        return zygote

    @property
    def alive(self) -> bool:
        return self._channel is not None and not self._channel.closed

    def _begin(self) -> None:
        ours, theirs = socket.socketpair()
        self._channel = Channel(ours, self._heard, self._ended)
        self._channel.send(
            {
                "packages": self.world.packages_inside,
                "preload": self._preload,
                "filter": filter.of_this_machine(self._nested).hex(),
                "flat": self._flat is not None,
            }
        )
        room = None if self._flat is None else self._flat.disk_mb << 20
        self._keeper = launch.launch(self.world, room, theirs, self._complaints.fileno())

    async def ready(self) -> None:
        """Until it can fork; SandboxUnavailable says why it cannot."""
        if not self._ready.done():
            done, _ = await asyncio.wait({self._ready}, timeout=_BOOT_S)
            if not done:
                raise SandboxUnavailable("It did not start in time.")
        if failed := self._ready.result():
            raise SandboxUnavailable(failed)

    def _heard(self, body: bytes) -> None:
        said = msgspec.json.decode(body, type=Said)
        if not self._ready.done():
            self._ready.set_result(
                "" if said.event == "ready" else f"The template's preload failed: {said.what}."
            )

    def _ended(self, reason: str) -> None:
        if not self._ready.done():
            self._ready.set_result(needs.explain(self._complained()))

    def _complained(self) -> str:
        self._complaints.seek(0)
        said = self._complaints.read(8000).decode("utf-8", "replace")
        return (self._keeper and self._keeper.failure) or said

    async def spawn(self, limits: Limits, listen: bool) -> tuple[Guest, socket.socket | None]:
        """A new sandbox, and where its programs look for a proxy if that is asked for."""
        if not self.alive:
            raise SandboxCrashed("The warm parent of this sandbox has ended.")
        assert self._channel is not None
        ours, theirs = socket.socketpair()
        group: Group | None = None
        self.sandboxes += 1
        try:
            tell_pid(ours)
            writable = [mount.target for mount in self.world.mounts if mount.writable]
            self._channel.send(
                {
                    "limits": _limits(limits),
                    "writable": writable,
                    "listen": listen,
                    "groups": len(hierarchies()),
                    "descriptors": 1,
                },
                [theirs.detach()],
            )
            group = Group(limits)  # while it is being set up
            _let_in(ours, group)
            await self.ready()
            pid, said, descriptors = await asyncio.wait_for(first_word(ours), _SPAWN_S)
            if said.event != "ready":
                refused = NoNesting if said.refused else SandboxUnavailable
                raise refused(f"The sandbox could not be set up: {said.what}.")
            listener = listener_of(descriptors) if listen else None
            if not said.joined:
                group.add(pid)
            pidfd = os.pidfd_open(pid)
        except BaseException as error:
            ours.close()
            theirs.close()
            if group is not None:
                group.remove()
            self._one_less()
            if isinstance(error, (OSError, asyncio.TimeoutError)):
                raise SandboxUnavailable(
                    f"The sandbox could not be set up: {error or 'it took too long'}."
                ) from None
            raise
        isolation = Isolation("namespaces", "bubblewrap", _held(group, said.landlock, self._flat is not None))
        made = Guest(
            ours,
            pid,
            pidfd,
            HOME,
            isolation,
            self.world.environment(),
            lambda: self._gone(group),
            group.usage,
        )
        return made, listener

    def _gone(self, group: Group) -> None:
        """A sandbox of it is gone. Told on any thread, and counted on its own."""
        group.remove()
        portal.post(self._one_less)

    def _one_less(self) -> None:
        self.sandboxes -= 1
        if self._retired and not self.sandboxes:
            self.close()

    def retire(self) -> None:
        """Fork no more; end with the last sandbox."""
        self._retired = True
        if not self.sandboxes:
            self.close()

    def close(self) -> None:
        """Have it end, and all its sandboxes with it."""
        if self._channel is not None:
            self._channel.close()
        if self._keeper is not None:
            asyncio.get_running_loop().call_later(_PARTING_S, self._keeper.kill)
        self._complaints.close()

    def end(self) -> None:
        """The same on any thread, at the end of the program; waits for it."""
        if self._channel is not None:
            self._channel.close()
        if self._keeper is not None and not self._keeper.wait(_PARTING_S):
            self._keeper.kill()
            self._keeper.wait(_PARTING_S)
        self._complaints.close()


def _let_in(end: socket.socket, group: Group) -> None:
    """The first that a new sandbox hears: the files of its control groups."""
    doors = group.doors()
    try:
        if doors:
            socket.send_fds(end, [frame({"do": "join"})], doors)
    except BrokenPipeError:  # it has ended already; its first word says why
        return
    finally:
        launch.close(doors)


def _world(python: Interpreter, mounts: Sequence[Mount]) -> World:
    node = shutil.which("node")
    found = os.path.realpath(node) if node else None
    for mount in mounts:
        if not os.path.exists(mount.source):
            raise ConfigError(f"{mount.source}, which is to be mounted at {mount.target}, does not exist.")
    return World(
        python,
        str(Path(guest.__file__).parent),
        found if found and not found.startswith("/usr/bin/") else None,
        mounts,
        world.existing(lambda path: os.readlink(path) if os.path.islink(path) else None, os.path.exists),
        world.shared(os.path.exists),
    )


_compiled = False


def _compile_guest() -> None:
    """What is read inside cannot be written there; where it cannot be written here either, starting takes longer."""
    global _compiled
    _compiled = True
    compileall.compile_dir(str(Path(guest.__file__).parent), quiet=2)


def _limits(limits: Limits) -> dict[str, Any]:
    known = limits.model_dump()
    if not any("memory" in hierarchy.controllers for hierarchy in hierarchies()):
        # one process at most all of it; all of them together are watched
        known["data_mb"] = known["watched_memory_mb"] = limits.memory_mb
    return known


def _held(group: Group, landlock: int, flat: bool) -> dict[str, str]:
    bounds = group.bounds
    return {
        "memory": "control group"
        if "memory" in bounds
        else "best effort: each process by rlimit, all together looked at five times a second",
        "cpu": "control group" if "cpu" in bounds else "not limited: no control group can be made here",
        "processes": "rlimit in its own user namespace",
        "disk": f"size{'' if flat else ' and number of files'} of its own file systems",
        "system calls": "allow-list",
        "network": "none but its own loopback device",
        "landlock": f"version {landlock}" if landlock else "not in this kernel",
    }
