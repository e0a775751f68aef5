"""The system call filter, made by hand: it has to be had from pip alone. It is made here, once, and loaded inside."""

from __future__ import annotations

import errno
import os
import struct
from functools import cache

from agentrun.sandbox.backends.bubblewrap.syscalls import (
    ALLOWED,
    ARM64,
    CHECKED,
    CHROOT,
    CLONE3,
    LAST_KNOWN,
    UNSHARE,
    X86_64,
)

_ARCHITECTURES = {"x86_64": (X86_64, 0xC000003E), "aarch64": (ARM64, 0xC00000B7)}

_LOAD, _RETURN = 0x20, 0x06
_EQUAL, _AT_LEAST, _HAS_BITS = 0x15, 0x35, 0x45
_NUMBER, _ARCH = 0, 4
_ARGUMENTS = (16, 24)  # the low halves of the first two

_ALLOW, _KILL, _FAIL = 0x7FFF0000, 0x80000000, 0x00050000
_X32 = 0x40000000
_NAMESPACES = 0x7E020080  # every CLONE_NEW*
_OF_BROWSERS = 0x70000000  # user, pid and net: what a browser makes its own sandbox of
_FAMILIES = (1, 2, 10)  # unix, IPv4, IPv6
_TERMINAL_TRICKS = (0x5412, 0x541C)  # TIOCSTI and TIOCLINUX put words into a terminal's mouth
_PLAIN_PERSONALITIES = (0, 0xFFFFFFFF)


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
    return b"".join([*lines, *_search(_sections(column))])


@cache
def of_this_machine(nested: bool) -> bytes:
    """The filter for the machine that this runs on."""
    return program(os.uname().machine, nested)


def _sections(column: int) -> list[tuple[int, bytes]]:
    """The first number of each run of calls that are answered alike, and the answer."""
    allowed = {number for numbers in ALLOWED.values() if (number := numbers[column]) is not None}
    sections: list[tuple[int, bytes]] = []
    for number in range(LAST_KNOWN + 1):
        answer = _allow() if number in allowed else _fail(errno.EPERM)
        if not sections or sections[-1][1] != answer:
            sections.append((number, answer))
    return [*sections, (LAST_KNOWN + 1, _fail(errno.ENOSYS))]


def _search(sections: list[tuple[int, bytes]]) -> list[bytes]:
    """By halves: when a filter is loaded the kernel asks it about every call there is."""
    if len(sections) == 1:
        return [sections[0][1]]
    middle = len(sections) // 2
    below, above = _search(sections[:middle]), _search(sections[middle:])
    return [_op(_AT_LEAST, sections[middle][0], len(below), 0), *below, *above]


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
