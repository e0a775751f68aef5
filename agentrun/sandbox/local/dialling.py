"""Connections to ports inside: the sandbox connects them, and only bytes pass."""

from __future__ import annotations

import asyncio
import os
import socket

from agentrun.errors import NotFound, SandboxError, SandboxTimeout
from agentrun.sandbox.local.requests import Requests

_CONNECT_S = 20.0
_REACHED = b"\0"


async def dial(requests: Requests, port: int) -> socket.socket:
    """A connection to what listens on a port in the sandbox. It does not block."""
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    try:
        await requests.ask("dial", descriptors=[theirs.detach()], port=port)
        word = await asyncio.wait_for(asyncio.get_running_loop().sock_recv(ours, 1), _CONNECT_S)
    except asyncio.TimeoutError:
        ours.close()
        raise SandboxTimeout(f"Port {port} of the sandbox took no connection in {_CONNECT_S:g} s.") from None
    except OSError as error:
        ours.close()
        raise SandboxError(f"Port {port} cannot be reached: {os.strerror(error.errno or 0)}.") from None
    except BaseException:
        ours.close()
        raise
    if word != _REACHED:
        ours.close()
        raise NotFound(
            f"Nothing listens on port {port} of the sandbox.",
            hint="Start a server in it first, on 127.0.0.1 or 0.0.0.0.",
            code="port_not_open",
        )
    return ours
