"""What a sandbox sees of this machine: the list of mounts, as arguments for bwrap. Pure: nothing is done here."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import msgspec

from agentrun.sandbox.backend import Mount
from agentrun.sandbox.values import HOME

GUEST = "/opt/agentrun"
_PYTHON = "/opt/python"
_NODE = "/opt/node/bin/node"
_SYSTEM_LINKS = ("/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32")
_SHARED = ("/etc/ssl/certs", "/etc/fonts", "/etc/ld.so.cache", "/etc/alternatives", "/etc/mime.types")

FILES = {
    "/etc/passwd": "root:x:0:0:root:/root:/usr/sbin/nologin\nuser:x:1000:1000:user:/home/user:/bin/bash\nnobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin\n",
    "/etc/group": "root:x:0:\nuser:x:1000:\nnogroup:x:65534:\n",
    "/etc/hosts": "127.0.0.1 localhost sandbox\n::1 localhost\n",
    "/etc/hostname": "sandbox\n",
    "/etc/nsswitch.conf": "passwd: files\ngroup: files\nhosts: files\n",
    "/etc/resolv.conf": "",
}


class Interpreter(msgspec.Struct, frozen=True):
    """A Python on this machine: where it is installed, its program below that, and folders of packages."""

    prefix: str
    program: str
    packages: Sequence[str] = ()
    libraries: str = ""  # where its own shared library is, below the prefix


class World(msgspec.Struct, frozen=True):
    """What goes into a sandbox from outside."""

    python: Interpreter
    guest: str
    node: str | None = None
    mounts: Sequence[Mount] = ()
    links: Mapping[str, str | None] = {}  # of _SYSTEM_LINKS those that exist; None for a real folder
    shared: Sequence[str] = ()

    @property
    def in_system(self) -> bool:
        return self.python.prefix == "/usr"

    @property
    def python_inside(self) -> str:
        return f"{'/usr' if self.in_system else _PYTHON}/{self.python.program}"

    @property
    def packages_inside(self) -> list[str]:
        return [f"/opt/packages/{number}" for number in range(len(self.python.packages))]

    @property
    def sources(self) -> list[str]:
        """Everything of this machine that is mounted and may be out of an ordinary user's reach."""
        python = [] if self.in_system else [self.python.prefix]
        node = [self.node] if self.node else []
        return [*python, *self.python.packages, self.guest, *node, *(mount.source for mount in self.mounts)]

    def environment(self) -> dict[str, str]:
        """What its programs find in their environment, before anything that a template says."""
        bins = [f"{HOME}/.local/bin", *([] if self.in_system else [f"{_PYTHON}/bin"])]
        bins += ["/opt/node/bin"] if self.node else []
        found = {
            "HOME": HOME,
            "LANG": "C.UTF-8",
            "PATH": ":".join([*bins, "/usr/local/bin", "/usr/bin", "/bin"]),
            "PYTHONDONTWRITEBYTECODE": "1",
            "SHELL": "/bin/bash",
            "USER": "user",
        }
        if self.python.packages:
            found["PYTHONPATH"] = ":".join(self.packages_inside)
        if self.python.libraries and not self.in_system:
            found["LD_LIBRARY_PATH"] = f"{_PYTHON}/{self.python.libraries}"
        return found


def arguments(
    world: World, at: Callable[[str], str], files: Mapping[str, int], room: int | None = None
) -> list[str]:
    """The mounts, as bwrap takes them. `at` says where a source is to be found, `files` has descriptors of FILES.

    With `room`, a number of bytes, the private folders are made here; else each sandbox makes its own.
    """
    words = ["--ro-bind", "/usr", "/usr", "--tmpfs", "/usr/local"]
    for path, target in world.links.items():
        words += ["--ro-bind", path, path] if target is None else ["--symlink", target, path]
    for path in world.shared:
        words += ["--ro-bind", path, path]
    for path, descriptor in files.items():
        words += ["--ro-bind-data", str(descriptor), path]
    if not world.in_system:
        words += ["--ro-bind", at(world.python.prefix), _PYTHON]
    for source, target in zip(world.python.packages, world.packages_inside, strict=True):
        words += ["--ro-bind", at(source), target]
    words += ["--ro-bind", at(world.guest), GUEST]
    if world.node:
        words += ["--ro-bind", at(world.node), _NODE]
    words += ["--proc", "/proc", "--dev", "/dev"]
    for path, mode in ((HOME, "0755"), ("/tmp", "1777"), ("/dev/shm", "1777")):
        if room is not None:
            words += ["--perms", mode, "--size", str(room), "--tmpfs", path]
        else:
            words += ["--dir", path]
    for mount in world.mounts:
        words += ["--bind" if mount.writable else "--ro-bind", at(mount.source), mount.target]
    return [*words, "--remount-ro", "/dev", "--remount-ro", "/usr/local", "--remount-ro", "/"]


def existing(readlink: Callable[[str], str | None], exists: Callable[[str], bool]) -> dict[str, str | None]:
    """Of the folders that every system has, those of this one: where each points to."""
    return {path: readlink(path) for path in _SYSTEM_LINKS if exists(path)}


def shared(exists: Callable[[str], bool]) -> list[str]:
    return [path for path in _SHARED if exists(path)]
