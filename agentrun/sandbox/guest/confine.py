"""How the first process of a sandbox shuts the door behind itself: namespaces, mounts, limits, filter. Nothing opens it again."""

from __future__ import annotations

import ctypes
import os
import struct

from . import landlock, seccomp
from .hints import Any
from .libc import CLONE, call, libc, mount, prctl, syscall
from .slim import signal, socket

UID = 1000
HOME = "/home/user"
_WRITABLE = (HOME, "/tmp", "/dev/shm", "/dev/pts")

_NEW_USER, _NEW_PID, _NEW_NET, _NEW_IPC = 0x10000000, 0x20000000, 0x40000000, 0x08000000
_NEW_UTS, _NEW_CGROUP, _NEW_NS = 0x04000000, 0x02000000, 0x00020000
_ALL_NEW = _NEW_USER | _NEW_PID | _NEW_NET | _NEW_IPC | _NEW_UTS | _NEW_CGROUP | _NEW_NS

_NOSUID, _NODEV, _NOEXEC = 2, 4, 8
_PDEATHSIG, _DUMPABLE, _CAPBSET_DROP, _NO_NEW_PRIVS, _NAME = 1, 4, 24, 38, 15
_SIOCGIFFLAGS, _SIOCSIFFLAGS, _UP = 0x8913, 0x8914, 1
_CAPABILITY_3 = 0x20080522

# by the numbers that both machine types have for them
_FSIZE, _DATA, _CORE, _NPROC, _NOFILE, _MEMLOCK = 1, 2, 4, 6, 7, 8
_SIGPENDING, _MSGQUEUE, _NICE, _RTPRIO = 11, 12, 13, 14
_BOUND = struct.Struct("=QQ")  # soft and hard


def clone() -> int:
    """Fork into namespaces of its own: 0 in the child, which is the first process there."""
    return _fork(_ALL_NEW)


def fork() -> int:
    """As os.fork, which takes twice as long for what only a process with threads has to set right."""
    return _fork(0)


def _fork(namespaces: int) -> int:
    flags = ctypes.c_ulong(namespaces | signal.SIGCHLD)
    return call(syscall, CLONE, flags, None, None, None, None)


def furnish(limits: dict[str, Any]) -> None:
    """The world of the sandbox: files that only it has, its own processes in /proc, a loopback device, a name."""
    _map_user(0, UID)
    mount("proc", "/proc", "proc", _NOSUID | _NODEV | _NOEXEC, "")
    room = f"size={limits['disk_mb']}m,nr_inodes={limits['files']}"
    mount("tmpfs", HOME, "tmpfs", _NOSUID | _NODEV, f"{room},mode=0755")
    mount("tmpfs", "/tmp", "tmpfs", _NOSUID | _NODEV, f"{room},mode=1777")
    mount("tmpfs", "/dev/shm", "tmpfs", _NOSUID | _NODEV, f"{room},mode=1777")
    mount("devpts", "/dev/pts", "devpts", _NOSUID | _NOEXEC, "newinstance,ptmxmode=0666,mode=620")
    call(libc.sethostname, b"sandbox", ctypes.c_size_t(7))
    loopback_up()
    # in a user namespace below, none of the namespaces above belongs to the sandbox
    call(libc.unshare, _NEW_USER)
    _map_user(UID, 0)


def loopback_up() -> None:
    any_socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    request = ctypes.create_string_buffer(b"lo", 40)
    call(libc.ioctl, any_socket.fileno(), _SIOCGIFFLAGS, request)
    (flags,) = struct.unpack_from("=H", request, 16)
    struct.pack_into("=H", request, 16, flags | _UP)
    call(libc.ioctl, any_socket.fileno(), _SIOCSIFFLAGS, request)
    any_socket.close()


def lock(limits: dict[str, Any], writable: list[str], filter: bytes) -> dict[str, Any]:
    """Give up what is left to give up. What it says is what holds."""
    os.umask(0o022)
    set_limits(limits)
    call(prctl, _NO_NEW_PRIVS, 1, 0, 0, 0)
    drop_capabilities()
    call(prctl, _DUMPABLE, 0, 0, 0, 0)
    known = landlock.restrict([*_WRITABLE, "/dev/null", "/dev/tty", "/proc", *writable])
    seccomp.load(filter)
    return {"landlock": known}


def set_limits(limits: dict[str, Any]) -> None:
    mb = 1 << 20
    wanted = {
        _CORE: 0,
        _NOFILE: limits["open_files"],
        _FSIZE: limits["file_mb"] * mb,
        _NPROC: limits["processes"],
        _MEMLOCK: 1 * mb,
        _MSGQUEUE: 1 * mb,
        _SIGPENDING: 1024,
        _RTPRIO: 0,
        _NICE: 0,
    }
    if limits.get("data_mb"):
        wanted[_DATA] = limits["data_mb"] * mb
    held = ctypes.create_string_buffer(_BOUND.size)
    for kind, value in wanted.items():
        call(libc.prlimit, 0, kind, None, held)
        bound = min(value, _BOUND.unpack(held)[1])  # no bound is the largest number there is
        call(libc.prlimit, 0, kind, _BOUND.pack(bound, bound), None)


def drop_capabilities() -> None:
    for number in range(64):
        if prctl(_CAPBSET_DROP, number, 0, 0, 0) == -1:
            break  # the kernel knows no more of them
    header = struct.pack("=Ii", _CAPABILITY_3, 0)
    call(libc.capset, header, bytes(24))


def end_with_parent() -> None:
    call(prctl, _PDEATHSIG, signal.SIGKILL, 0, 0, 0)


def be_readable() -> None:
    """Let this process look at itself in /proc, as any program can."""
    call(prctl, _DUMPABLE, 1, 0, 0, 0)


def name_process(name: str) -> None:
    call(prctl, _NAME, name.encode(), 0, 0, 0)


def _map_user(inside: int, outside: int) -> None:
    for file, text in (
        ("setgroups", "deny"),
        ("uid_map", f"{inside} {outside} 1"),
        ("gid_map", f"{inside} {outside} 1"),
    ):
        descriptor = os.open(f"/proc/self/{file}", os.O_WRONLY)
        os.write(descriptor, text.encode())
        os.close(descriptor)
