"""gVisor: a kernel of its own in user space for each sandbox, by `runsc`. Slower to start, and far less of Linux to attack."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any

from agentrun.errors import SandboxUnavailable
from agentrun.sandbox.backend import Mount, Order
from agentrun.sandbox.local import relayed
from agentrun.sandbox.local.box import LocalBox
from agentrun.sandbox.scratch import Scratch, sweep
from agentrun.sandbox.template import Limits
from agentrun.sandbox.values import HOME, Isolation

_UID = 1000
_KIND = "gvisor"
_NAMESPACES = ("pid", "network", "ipc", "uts", "mount")
_SHARED = ("/etc/alternatives", "/etc/ld.so.cache", "/etc/ssl/certs")
_SYSTEM = ("/bin", "/sbin", "/lib", "/lib32", "/lib64")
_FILES = {
    "/etc/passwd": f"user:x:{_UID}:{_UID}::{HOME}:/bin/bash\n",
    "/etc/group": f"user:x:{_UID}:\n",
    "/etc/hosts": "127.0.0.1 localhost sandbox\n",
}


class Gvisor:
    """One container of `runsc` for each sandbox."""

    name = "gvisor"
    level = "virtual"

    def lacks(self) -> list[str]:
        if sys.platform != "linux":
            return [f"It needs Linux, and this is {sys.platform}."]
        if _program() is None:
            return ["runsc is not installed. Debian: apt-get install runsc. Anywhere: see gvisor.dev."]
        return []

    async def create(self, order: Order) -> LocalBox:
        if lacks := self.lacks():
            raise SandboxUnavailable(" ".join(lacks))
        template = order.template
        relayed.refuse(
            self.name,
            network_policy=bool(template.network.hosts),
            packages=bool(template.packages or template.preload),
            browser=template.type.has_browser,
        )
        _sweep_once()
        return await relayed.open_box(_engine(order), order)


def _program() -> str | None:
    return shutil.which("runsc")


def _engine(order: Order) -> relayed.Engine:
    program = _program()
    assert program is not None
    scratch = Scratch(_KIND)
    folder = scratch.path
    runsc = [program, "--root", str(folder / "state"), "--network=none", "--ignore-cgroups"]
    runsc += [] if os.geteuid() == 0 else ["--rootless"]
    python = os.path.realpath(order.template.python or sys.executable)

    def command(words: list[str]) -> list[str]:
        root = _root(folder / "root")
        config = {
            "ociVersion": "1.0.0",
            "hostname": "sandbox",
            "root": {"path": str(root), "readonly": True},
            "process": _process(words, order.template.limits),
            "mounts": _mounts(root, str(Path(python).parents[1]), order),
            "linux": {"namespaces": [{"type": kind} for kind in _NAMESPACES]},
        }
        (folder / "config.json").write_text(json.dumps(config), "utf-8")
        return [*runsc, "run", "--bundle", str(folder), order.id]

    def clean() -> None:
        subprocess.run([*runsc, "delete", "--force", order.id], capture_output=True, timeout=30)
        scratch.remove()

    return relayed.Engine(command, python, relayed.usual_env(), _isolation(), clean)


@cache
def _sweep_once() -> None:
    """The folders of owners that were killed; what ran in them has ended with them."""
    sweep(_KIND)


def _root(root: Path) -> Path:
    """What the mounts are put upon: the links of the system, and a few files of /etc."""
    root.mkdir()
    for path in filter(os.path.islink, _SYSTEM):
        (root / path[1:]).symlink_to(os.readlink(path))
    for path, text in _FILES.items():
        file = root / path[1:]
        file.parent.mkdir(exist_ok=True)
        file.write_text(text, "utf-8")
    return root


def _mounts(root: Path, prefix: str, order: Order) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = [
        {"destination": "/proc", "type": "proc", "source": "proc"},
        {"destination": "/dev", "type": "tmpfs", "source": "tmpfs"},
        {"destination": "/dev/pts", "type": "devpts", "source": "devpts"},
    ]
    room_for_all = ["mode=1777", f"size={order.template.limits.disk_mb}m"]
    found += [
        {"destination": path, "type": "tmpfs", "source": "tmpfs", "options": room_for_all}
        for path in (HOME, "/tmp", "/dev/shm")
    ]
    system = ["/usr", *(path for path in (*_SYSTEM, *_SHARED) if os.path.exists(path))]
    shared = [Mount(path, path) for path in system if not os.path.islink(path)]
    if not prefix.startswith("/usr"):
        shared.append(Mount(prefix, prefix))
    for mount in (*shared, *order.mounts):
        place = root / mount.target[1:]
        if os.path.isdir(mount.source):
            place.mkdir(parents=True, exist_ok=True)
        else:
            place.parent.mkdir(parents=True, exist_ok=True)
            place.touch()
        options = ["rbind", "rw" if mount.writable else "ro"]
        found.append(
            {"destination": mount.target, "type": "bind", "source": mount.source, "options": options}
        )
    return found


def _process(words: list[str], limits: Limits) -> dict[str, Any]:
    bounds = {
        "RLIMIT_NOFILE": limits.open_files,
        "RLIMIT_NPROC": limits.processes,
        "RLIMIT_FSIZE": limits.file_mb << 20,
        "RLIMIT_DATA": limits.memory_mb << 20,
    }
    return {
        "user": {"uid": _UID, "gid": _UID},
        "args": words,
        "env": [f"{name}={value}" for name, value in relayed.usual_env().items()],
        "cwd": "/",
        "noNewPrivileges": True,
        "rlimits": [{"type": kind, "hard": value, "soft": value} for kind, value in bounds.items()],
    }


def _isolation() -> Isolation:
    return Isolation(
        "virtual",
        "gvisor",
        {
            "memory": "best effort: each process by rlimit",
            "cpu": "not limited",
            "processes": "best effort: by rlimit",
            "disk": "size of its own file systems",
            "system calls": "gVisor's own kernel",
            "network": "none but its own loopback device",
        },
    )
