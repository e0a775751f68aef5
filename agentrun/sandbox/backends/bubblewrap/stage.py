"""What root does before bwrap: it makes the sources reachable, and becomes an ordinary user for good.

bwrap that is started by root keeps root's powers, and an ordinary user may not be able to reach what is mounted. So the
sources are mounted in a namespace of one thread alone, and bwrap is started from there by a user who owns nothing.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from functools import cache

PLACE = "/tmp"
_NEW_NS, _BIND, _REC, _PRIVATE, _NOSUID = 0x20000, 4096, 16384, 1 << 18, 2


def enter(sources: Sequence[str]) -> None:
    """Give this thread mounts of its own, with the sources at `PLACE/0`, `PLACE/1` and on. There is no way back."""
    try:
        _enter(sources)
    except OSError as error:
        where = f": {error.filename}" if error.filename else ""
        raise OSError(
            error.errno, f"root may not make mounts for bubblewrap: {error.strerror}{where}"
        ) from None


def _enter(sources: Sequence[str]) -> None:
    from agentrun.sandbox.guest.libc import call, libc, mount  # it needs a Linux

    call(libc.unshare, _NEW_NS)
    mount("none", "/", "", _REC | _PRIVATE, "")
    # opened first, for some may be where the staging place will be
    opened = [os.open(source, os.O_PATH | os.O_CLOEXEC) for source in sources]
    try:
        mount("tmpfs", PLACE, "tmpfs", _NOSUID, "mode=0755,size=1m")
        for number, source in enumerate(f"/proc/self/fd/{one}" for one in opened):
            target = f"{PLACE}/{number}"
            if os.path.isdir(source):
                os.mkdir(target)
            else:
                os.close(os.open(target, os.O_CREAT | os.O_WRONLY))
            mount(source, target, "", _BIND | _REC, "")
    finally:
        for one in opened:
            os.close(one)


def become(uid: int) -> list[str] | None:
    """What to put before a command so that this user runs it, who is in no group but its own. None: Popen has to see to it.

    That takes longer, for Python first makes a copy of this whole process.
    """
    program = _setpriv()
    if program is None:
        return None
    return [program, f"--reuid={uid}", f"--regid={uid}", "--clear-groups", "--"]


@cache
def _setpriv() -> str | None:
    """The one of util-linux, where there is one; busybox has another by this name."""
    found = shutil.which("setpriv", path="/usr/bin:/bin")
    return None if found is None or os.path.basename(os.path.realpath(found)) != "setpriv" else found
