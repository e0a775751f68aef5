"""The filter, run by a small machine of the kernel's kind: so both machine types can be looked at on either."""

from __future__ import annotations

import errno
import struct

import pytest

from agentrun.sandbox.backends.bubblewrap import filter
from agentrun.sandbox.backends.bubblewrap.syscalls import ALLOWED, CHECKED

ALLOW, KILL = 0x7FFF0000, 0x80000000
ARCHITECTURES = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
COLUMN = {"x86_64": 0, "aarch64": 1}


def decide(machine: str, number: int, *arguments: int, arch: int | None = None, nested: bool = False) -> int:
    code = filter.program(machine, nested)
    lines = [struct.unpack_from("=HBBI", code, at) for at in range(0, len(code), 8)]
    assert len(lines) < 4096  # the most that the kernel takes
    data = struct.pack(
        "=IIQ6Q", number, arch or ARCHITECTURES[machine], 0, *arguments, *[0] * (6 - len(arguments))
    )
    at, held = 0, 0
    while True:
        operation, if_true, if_false, value = lines[at]
        at += 1
        if operation == 0x20:
            held = struct.unpack_from("=I", data, value)[0]
        elif operation == 0x06:
            return value
        else:
            test = {0x15: held == value, 0x25: held > value, 0x35: held >= value, 0x45: bool(held & value)}
            at += if_true if test[operation] else if_false


def refusal(error: int) -> int:
    return 0x50000 | error


@pytest.mark.parametrize("machine", ARCHITECTURES)
def test_what_is_allowed_is_and_nothing_else(machine: str):
    column = COLUMN[machine]
    allowed = {numbers[column] for numbers in ALLOWED.values()} - {None}
    checked = {numbers[column] for numbers in CHECKED.values()}
    for number in range(600):
        if number in checked:
            continue
        said = decide(machine, number)
        assert (said == ALLOW) == (number in allowed), number


@pytest.mark.parametrize("machine", ARCHITECTURES)
def test_arguments_decide(machine: str):
    column = COLUMN[machine]
    number = {name: numbers[column] for name, numbers in CHECKED.items()}
    for family in range(50):
        wanted = ALLOW if family in (1, 2, 10) else refusal(errno.EAFNOSUPPORT)
        assert decide(machine, number["socket"], family, 1) == wanted
    assert decide(machine, number["socketpair"], 1) == ALLOW
    assert decide(machine, number["socketpair"], 2) == refusal(errno.EAFNOSUPPORT)
    assert decide(machine, number["clone"], 0x01200011) == ALLOW  # fork
    assert decide(machine, number["clone"], 0x003D0F00) == ALLOW  # a thread
    for flag in (0x80, 0x20000, 0x2000000, 0x4000000, 0x8000000, 0x10000000, 0x20000000, 0x40000000):
        assert decide(machine, number["clone"], flag | 17) == refusal(errno.EPERM)
    assert decide(machine, number["ioctl"], 0, 0x5412) == refusal(errno.EPERM)
    # the kernel looks at the lower half of the request only, and so does the filter
    assert decide(machine, number["ioctl"], 0, 0xFFFFFFFF00005412) == refusal(errno.EPERM)
    assert decide(machine, number["ioctl"], 0, 0x5413) == ALLOW
    assert decide(machine, number["personality"], 0xFFFFFFFF) == ALLOW
    assert decide(machine, number["personality"], 0x400000) == refusal(errno.EPERM)
    assert decide(machine, 435) == refusal(errno.ENOSYS)
    assert decide(machine, 5000) == refusal(errno.ENOSYS)


@pytest.mark.parametrize("machine", ARCHITECTURES)
def test_a_browser_may_make_its_own_sandbox_and_mount_nothing(machine: str):
    column = COLUMN[machine]
    clone, unshare, chroot, mount = (
        CHECKED["clone"][column],
        (272, 97)[column],
        (161, 51)[column],
        (165, 40)[column],
    )
    for flags in (0x10000000, 0x20000000, 0x40000000, 0x70000000):
        assert decide(machine, clone, flags | 17, nested=True) == ALLOW
        assert decide(machine, unshare, flags, nested=True) == ALLOW
    for flags in (0x20000, 0x8000000, 0x4000000, 0x2000000, 0x10020000):
        assert decide(machine, clone, flags | 17, nested=True) == refusal(errno.EPERM)
        assert decide(machine, unshare, flags, nested=True) == refusal(errno.EPERM)
    assert decide(machine, chroot, nested=True) == ALLOW
    assert decide(machine, mount, nested=True) == refusal(errno.EPERM)
    assert decide(machine, CHECKED["socket"][column], 16, 3, nested=True) == refusal(errno.EAFNOSUPPORT)


def test_another_machine_type_is_killed():
    assert decide("x86_64", 20, arch=0x40000003) == KILL
    assert decide("x86_64", 0x40000000 | 39) == KILL
    assert decide("aarch64", 20, arch=0x40000028) == KILL
