"""A file system of this process's own: all that there was, and a folder at another place as well."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from agentrun.platform.drivers.keeper import linux

_ROOT = Path("/tmp")  # something is there on every machine, and it can be mounted over


def show_at(folder: str, place: str) -> None:
    """Let this process and its children find a folder at `/place`; OSError where the kernel does not let them."""
    linux.own_mounts()
    # what is opened now is found although something is mounted over it
    held = {entry.name: os.open(entry, os.O_PATH | os.O_NOFOLLOW) for entry in os.scandir("/")}
    held[place] = os.open(folder, os.O_PATH)
    linux.mount_empty(str(_ROOT))
    try:
        for name in sorted(held, key=lambda name: name != _ROOT.name):  # that one while the new root is empty
            _show(held[name], _ROOT / name)
        os.chroot(_ROOT)
        linux.unmount(str(_ROOT))  # of the new root, where the old one has taken it along
    except OSError:
        linux.unmount(str(_ROOT))
        raise
    finally:
        for descriptor in held.values():
            os.close(descriptor)


def _show(descriptor: int, target: Path) -> None:
    """A folder or a link of the root. Its files are nobody's business."""
    kind = os.fstat(descriptor).st_mode
    if stat.S_ISDIR(kind):
        target.mkdir()
        linux.mount_again(f"/proc/self/fd/{descriptor}", str(target))
    elif stat.S_ISLNK(kind):
        target.symlink_to(os.readlink("", dir_fd=descriptor))
