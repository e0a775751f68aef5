"""Ways in to what listens inside: one connection for each, made here and pumped, so that no network is opened for it."""

from __future__ import annotations

import os
import socket

from .files import Refused
from .hints import Callable
from .pump import Pump
from .turns import WRITE, Turns

_MOST = 200
_ADDRESSES = ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1"))
_REACHED, _REFUSED = b"\0", b"\1"


class Ports:
    """The connections there are. The first byte on each says whether somebody listens."""

    def __init__(self, turns: Turns) -> None:
        self._turns = turns
        self._open = 0

    def dial(self, port: int, outside: int) -> None:
        """Connect what is outside with a port in here."""
        if not 0 < port < 65536:
            raise Refused("invalid", f"{port} is no port.")
        if self._open >= _MOST:
            raise Refused("too_many", f"{_MOST} connections to its ports are open, which is the most.")
        self._open += 1
        os.set_blocking(outside, False)
        self._try(port, socket.socket(fileno=outside), list(_ADDRESSES))

    def _try(self, port: int, outside: socket.socket, addresses: list[tuple[int, str]]) -> None:
        """Connect to the first of the addresses at which somebody listens."""
        if not addresses:
            self._end(outside, _REFUSED)
            return
        family, address = addresses.pop(0)
        try:
            inside = socket.socket(family, socket.SOCK_STREAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC)
        except OSError:
            self._try(port, outside, addresses)
            return
        inside.connect_ex((address, port))

        def connected() -> None:
            self._turns.unregister(inside)
            if inside.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
                inside.close()
                self._try(port, outside, addresses)
            else:
                self._join(outside, inside)

        self._turns.register(inside, WRITE, connected)

    def _join(self, outside: socket.socket, inside: socket.socket) -> None:
        """Pump both ways. Each way ends on its own; both ends are closed when both ways have ended, or one has failed."""
        inside.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            outside.send(_REACHED)
        except OSError:  # nobody waits any more
            inside.close()
            self._end(outside)
            return
        # a descriptor can be watched for one thing only, so each way has its own
        ends = (outside.dup(), inside.dup())
        pumps: list[Pump] = []

        def over(target: socket.socket) -> Callable[[int, OSError | None], None]:
            def one_way_over(_: int, error: OSError | None) -> None:
                going.discard(target)
                if error is None and going:
                    _no_more(target)
                    return
                for pump in pumps:
                    pump.stop()
                for end in (inside, *ends):
                    end.close()
                self._end(outside)

            return one_way_over

        going = {inside, ends[0]}
        pumps.append(Pump(self._turns, outside.fileno(), inside.fileno(), over(inside)))
        pumps.append(Pump(self._turns, ends[1].fileno(), ends[0].fileno(), over(ends[0])))

    def _end(self, outside: socket.socket, word: bytes = b"") -> None:
        self._open -= 1
        try:
            outside.send(word)
        except OSError:
            pass
        outside.close()


def _no_more(end: socket.socket) -> None:
    try:
        end.shutdown(socket.SHUT_WR)
    except OSError:  # the other side is gone already
        pass
