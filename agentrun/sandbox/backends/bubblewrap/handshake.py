"""The first word of a new sandbox: who it is, by the kernel's word, and whether it is ready."""

from __future__ import annotations

import array
import asyncio
import fcntl
import socket
import struct

import msgspec

from agentrun.errors import SandboxUnavailable

_PASS_CREDENTIALS, _CREDENTIALS = 16, 2
_LENGTH = struct.Struct("<I")


class Said(msgspec.Struct, frozen=True):
    """Ready, or failed and why."""

    event: str
    what: str = ""
    landlock: int = 0
    joined: bool = False  # its control groups
    refused: bool = False


def tell_pid(end: socket.socket) -> None:
    """Have the kernel say who speaks on this socket, by the number that it has here."""
    end.setsockopt(socket.SOL_SOCKET, _PASS_CREDENTIALS, 1)


async def first_word(end: socket.socket) -> tuple[int, Said, list[int]]:
    """Who is there, by the kernel's word, and what it says."""
    end.setblocking(False)
    loop = asyncio.get_running_loop()
    data, pid = b"", 0
    descriptors: list[int] = []
    space = socket.CMSG_SPACE(12) + socket.CMSG_SPACE(4 * 4)
    while True:
        ready: asyncio.Future[None] = loop.create_future()
        loop.add_reader(end.fileno(), lambda ready=ready: ready.done() or ready.set_result(None))
        try:
            await ready
        finally:
            loop.remove_reader(end.fileno())
        piece, notes, _, _ = end.recvmsg(1 << 16, space)
        for _, kind, note in notes:
            if kind == _CREDENTIALS:
                pid = struct.unpack("=iII", note)[0]
            elif kind == socket.SCM_RIGHTS:
                descriptors += array.array("i", note[: len(note) - len(note) % 4])
        data += piece
        if not piece or len(data) > 1 << 16:
            raise SandboxUnavailable("The sandbox ended while it was set up.")
        if len(data) >= _LENGTH.size and len(data) == _LENGTH.size + _LENGTH.unpack_from(data)[0]:
            return pid, msgspec.json.decode(data[_LENGTH.size :], type=Said), descriptors


def listener_of(descriptors: list[int]) -> socket.socket:
    listener = socket.socket(fileno=descriptors[0])
    fcntl.fcntl(listener, fcntl.F_SETFD, fcntl.FD_CLOEXEC)
    listener.setblocking(False)
    return listener
