"""Run by root before bwrap, as a program of its own: makes the sources reachable, then becomes an ordinary user for good.

bwrap that is started by root keeps root's powers, and an ordinary user may not be able to reach what is mounted. So the
sources are mounted in a namespace of this process alone, and bwrap is started there by a user who owns nothing.
"""

from __future__ import annotations

import ctypes
import os
import sys

PLACE = "/tmp"
_NEW_NS, _BIND, _REC, _PRIVATE, _NOSUID = 0x20000, 4096, 16384, 1 << 18, 2


def words(uid: int, sources: list[str], command: list[str]) -> list[str]:
    """What to start, so that `command` is started by this user, with the sources at `PLACE/0`, `PLACE/1` and on."""
    return [sys.executable, "-I", "-S", __file__, str(uid), *sources, "--", *command]


def main(uid: int, sources: list[str], command: list[str]) -> None:
    libc = ctypes.CDLL(None, use_errno=True)

    def call(what: str, result: int) -> None:
        if result == -1:
            sys.exit(f"stage: {what}: {os.strerror(ctypes.get_errno())}")

    def mount(source: str, target: str, kind: str, flags: int, options: str) -> None:
        result = libc.mount(
            source.encode(), target.encode(), kind.encode(), ctypes.c_ulong(flags), options.encode()
        )
        call(f"mount {target}", result)

    call("unshare", libc.unshare(_NEW_NS))
    mount("none", "/", "", _REC | _PRIVATE, "")
    # opened first, for some may be where the staging place will be
    opened = [os.open(source, os.O_PATH) for source in sources]
    mount("tmpfs", PLACE, "tmpfs", _NOSUID, "mode=0755,size=1m")
    for number, source in enumerate(f"/proc/self/fd/{one}" for one in opened):
        target = f"{PLACE}/{number}"
        if os.path.isdir(source):
            os.mkdir(target)
        else:
            os.close(os.open(target, os.O_CREAT | os.O_WRONLY))
        mount(source, target, "", _BIND | _REC, "")
    for one in opened:
        os.close(one)
    os.chdir("/")
    os.setgroups([])
    os.setresgid(uid, uid, uid)
    os.setresuid(uid, uid, uid)
    os.execve(command[0], command, {})


if __name__ == "__main__":
    end = sys.argv.index("--")
    main(int(sys.argv[1]), sys.argv[2:end], sys.argv[end + 1 :])
