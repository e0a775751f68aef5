"""The system call filter, made by hand: it has to be loaded from pip alone, in a process without privileges."""

from __future__ import annotations

import ctypes
import errno
import os
import struct

from .libc import call, prctl
from .syscalls import ALLOWED, ARM64, CHECKED, CHROOT, CLONE3, LAST_KNOWN, UNSHARE, X86_64

_ARCHITECTURES = {"x86_64": (X86_64, 0xC000003E), "aarch64": (ARM64, 0xC00000B7)}

_LOAD, _RETURN = 0x20, 0x06
_EQUAL, _ABOVE, _AT_LEAST, _HAS_BITS = 0x15, 0x25, 0x35, 0x45
_NUMBER, _ARCH = 0, 4
_ARGUMENTS = (16, 24)  # the low halves of the first two

_ALLOW, _KILL, _FAIL = 0x7FFF0000, 0x80000000, 0x00050000
_X32 = 0x40000000
_NAMESPACES = 0x7E020080  # every CLONE_NEW*
_OF_BROWSERS = 0x70000000  # user, pid and net: what a browser makes its own sandbox of
_FAMILIES = (1, 2, 10)  # unix, IPv4, IPv6
_TERMINAL_TRICKS = (0x5412, 0x541C)  # TIOCSTI and TIOCLINUX put words into a terminal's mouth
_PLAIN_PERSONALITIES = (0, 0xFFFFFFFF)

_SET_SECCOMP, _MODE_FILTER = 22, 2


class _Program(ctypes.Structure):
    _fields_ = [("length", ctypes.c_ushort), ("code", ctypes.c_char_p)]


def supported() -> bool:
    return os.uname().machine in _ARCHITECTURES


def program(machine: str, nested: bool = False) -> bytes:
    """The filter as the kernel takes it. `nested` lets a browser make its own sandbox in this one."""
    column, arch = _ARCHITECTURES[machine]
    lines = [_op(_LOAD, _ARCH), _op(_EQUAL, arch, 1, 0), _op(_RETURN, _KILL), _op(_LOAD, _NUMBER)]
    if column == X86_64:
        lines += [_op(_AT_LEAST, _X32, 0, 1), _op(_RETURN, _KILL)]
    lines += _checked("socket", column, _one_of(0, _FAMILIES, errno.EAFNOSUPPORT))
    lines += _checked("socketpair", column, _one_of(0, (1,), errno.EAFNOSUPPORT))
    lines += _checked("personality", column, _one_of(0, _PLAIN_PERSONALITIES, errno.EPERM))
    lines += _checked("ioctl", column, _none_of(1, _TERMINAL_TRICKS))
    lines += _checked("clone", column, _without(_NAMESPACES & ~_OF_BROWSERS if nested else _NAMESPACES))
    if nested:
        unshare = _without(~_OF_BROWSERS & 0xFFFFFFFF)
        lines += [_op(_EQUAL, UNSHARE[column], 0, len(unshare)), *unshare]
        lines += [_op(_EQUAL, CHROOT[column], 0, 1), _allow()]
    # its flags are behind a pointer, where no filter can look; libc takes clone instead
    lines += [_op(_EQUAL, CLONE3[column], 0, 1), _fail(errno.ENOSYS)]
    for first, last in _ranges(column):
        lines += [_op(_AT_LEAST, first, 1, 0), _fail(errno.EPERM), _op(_ABOVE, last, 1, 0), _allow()]
    lines += [_op(_ABOVE, LAST_KNOWN, 1, 0), _fail(errno.EPERM), _fail(errno.ENOSYS)]
    return b"".join(lines)


def load(nested: bool = False) -> None:
    """Filter this process from here on; it cannot be undone. Needs no_new_privs."""
    code = program(os.uname().machine, nested)
    filter = _Program(len(code) // 8, code)
    call(prctl, _SET_SECCOMP, _MODE_FILTER, ctypes.byref(filter), 0, 0)


def _ranges(column: int) -> list[tuple[int, int]]:
    ranges: list[tuple[int, int]] = []
    for number in sorted(number for numbers in ALLOWED.values() if (number := numbers[column]) is not None):
        if ranges and ranges[-1][1] == number - 1:
            ranges[-1] = (ranges[-1][0], number)
        else:
            ranges.append((number, number))
    return ranges


def _checked(name: str, column: int, body: list[bytes]) -> list[bytes]:
    return [_op(_EQUAL, CHECKED[name][column], 0, len(body)), *body]


def _one_of(argument: int, values: tuple[int, ...], error: int) -> list[bytes]:
    tests = [_op(_EQUAL, value, len(values) - at, 0) for at, value in enumerate(values)]
    return [_op(_LOAD, _ARGUMENTS[argument]), *tests, _fail(error), _allow()]


def _none_of(argument: int, values: tuple[int, ...]) -> list[bytes]:
    tests = [_op(_EQUAL, value, len(values) - at, 0) for at, value in enumerate(values)]
    return [_op(_LOAD, _ARGUMENTS[argument]), *tests, _allow(), _fail(errno.EPERM)]


def _without(flags: int) -> list[bytes]:
    return [_op(_LOAD, _ARGUMENTS[0]), _op(_HAS_BITS, flags, 0, 1), _fail(errno.EPERM), _allow()]


def _allow() -> bytes:
    return _op(_RETURN, _ALLOW)


def _fail(error: int) -> bytes:
    return _op(_RETURN, _FAIL | error)


def _op(code: int, value: int, if_true: int = 0, if_false: int = 0) -> bytes:
    return struct.pack("=HBBI", code, if_true, if_false, value)
