"""What the kernel has and Python lacks: signals on a parent's death, adopting orphans, mounts, Landlock."""

from __future__ import annotations

import ctypes
import os
import socket
import struct
from collections.abc import Iterable

_libc = ctypes.CDLL(None, use_errno=True)

_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36
_PR_SET_NO_NEW_PRIVS = 38
# the same numbers on every architecture
_LANDLOCK_CREATE_RULESET = 444
_LANDLOCK_ADD_RULE = 445
_LANDLOCK_RESTRICT_SELF = 446
_PATH_BENEATH = 1

_EXECUTE, _WRITE_FILE, _READ_FILE, _READ_DIR = 1 << 0, 1 << 1, 1 << 2, 1 << 3
_REFER, _TRUNCATE, _IOCTL = 1 << 13, 1 << 14, 1 << 15
_ON_FILES = _EXECUTE | _WRITE_FILE | _READ_FILE | _TRUNCATE | _IOCTL
_READ = _EXECUTE | _READ_FILE | _READ_DIR
_NEW_MOUNTS, _NEW_USER = 0x00020000, 0x10000000
_NO_SUID, _NO_DEVICES, _BIND, _RECURSIVE, _PRIVATE = 2, 4, 4096, 16384, 1 << 18
_DETACH = 2
_CREDENTIALS = struct.Struct("3i")
_SCOPES = 0b11  # abstract sockets and signals stay among its own processes


def die_with_parent(signal: int) -> None:
    """Get `signal` when the parent ends. To be called after a fork, by the child."""
    _prctl(_PR_SET_PDEATHSIG, signal)


def adopt_orphans() -> None:
    """Descendants whose parents end become children of this process."""
    _prctl(_PR_SET_CHILD_SUBREAPER, 1)


def no_new_privileges() -> None:
    """No program that is run from now on has more rights than this one, whatever its bits say."""
    _prctl(_PR_SET_NO_NEW_PRIVS, 1)


def peer_of(descriptor: int) -> tuple[int, int]:
    """The process and the user that opened the other end of a Unix socket."""
    with socket.socket(fileno=os.dup(descriptor)) as one:
        said = one.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
    pid, user, _ = _CREDENTIALS.unpack(said)
    return pid, user


def own_mounts() -> None:
    """What this process mounts from now on, only it and its children see. A plain user becomes the owner of a namespace."""
    user, group = os.getuid(), os.getgid()
    if user == 0:
        _checked(_libc.unshare(_NEW_MOUNTS))
    else:
        _checked(_libc.unshare(_NEW_MOUNTS | _NEW_USER))
        for name, text in (
            ("setgroups", "deny"),
            ("uid_map", f"{user} {user} 1"),
            ("gid_map", f"{group} {group} 1"),
        ):
            with open(f"/proc/self/{name}", "w", encoding="ascii") as file:
                file.write(text)
    _mount("none", "/", "", _RECURSIVE | _PRIVATE)


def mount_empty(target: str) -> None:
    """An empty folder in memory."""
    _mount("tmpfs", target, "tmpfs", _NO_SUID | _NO_DEVICES, "mode=755,size=1m")


def mount_again(source: str, target: str) -> None:
    """What is at one place, at another too."""
    _mount(source, target, "", _BIND | _RECURSIVE)


def unmount(target: str) -> None:
    """Take away what was mounted there last, whoever uses it still."""
    _checked(_libc.umount2(target.encode(), _DETACH))


def landlock_version() -> int:
    """Which Landlock the kernel has; 0 for none."""
    return max(_libc.syscall(_LANDLOCK_CREATE_RULESET, None, ctypes.c_size_t(0), 1), 0)


def restrict(readable: Iterable[str], writable: Iterable[str]) -> None:
    """From now on this process and its children see these folders and files, and no others."""
    version = landlock_version()
    handled = _rights(version)
    sized = 8 if version < 4 else 16 if version < 6 else 24
    attributes = struct.pack("=QQQ", handled, 0, _SCOPES if version >= 6 else 0)[:sized]
    ruleset = _checked(_libc.syscall(_LANDLOCK_CREATE_RULESET, attributes, ctypes.c_size_t(sized), 0))
    try:
        for path in readable:
            _allow(ruleset, path, _READ & handled)
        for path in writable:
            _allow(ruleset, path, handled)
        _checked(_libc.syscall(_LANDLOCK_RESTRICT_SELF, ruleset, 0))
    finally:
        os.close(ruleset)


def _rights(version: int) -> int:
    """Every right that this version knows of."""
    rights = (1 << 13) - 1
    if version >= 2:
        rights |= _REFER
    if version >= 3:
        rights |= _TRUNCATE
    if version >= 5:
        rights |= _IOCTL
    return rights


def _allow(ruleset: int, path: str, rights: int) -> None:
    try:
        place = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except OSError:  # what is not there need not be allowed
        return
    try:
        if not os.path.isdir(path):
            rights &= _ON_FILES
        rule = struct.pack("=Qi", rights, place)
        _checked(_libc.syscall(_LANDLOCK_ADD_RULE, ruleset, _PATH_BENEATH, rule, 0))
    finally:
        os.close(place)


def _prctl(option: int, value: int) -> None:
    _checked(_libc.prctl(option, ctypes.c_ulong(value), 0, 0, 0))


def _mount(source: str, target: str, kind: str, flags: int, data: str = "") -> None:
    _checked(
        _libc.mount(source.encode(), target.encode(), kind.encode(), ctypes.c_ulong(flags), data.encode())
    )


def _checked(result: int) -> int:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return result
