"""The service's process: it listens, serves until a signal, and ends all its sandboxes."""

from __future__ import annotations

import asyncio
import signal
import socket
from collections.abc import Callable, Generator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import uvicorn
import uvloop
from starlette.types import ASGIApp

from agentrun.errors import ConfigError
from agentrun.sandbox.service import app
from agentrun.sandbox.service.boxes import Boxes
from agentrun.sandbox.service.door import is_here
from agentrun.sandbox.service.templates import Templates
from agentrun.sandbox.service.writes import JoinedHttp

if TYPE_CHECKING:
    from agentrun.sandbox.service.authority import Papers

_GRACE_S = 5


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be served, to whom and where. `control_port` is None where no control plane is wanted."""

    host: str
    port: int
    control_port: int | None
    keys: Sequence[str]
    most: int
    folder: Path
    public_hosts: Sequence[str] = ()


class Served(msgspec.Struct, frozen=True):
    """Where it is served now."""

    url: str
    control_url: str | None = None
    authority: str | None = None
    bundle: str | None = None


def serve(wanted: Wanted, on_ready: Callable[[Served], None]) -> None:
    """Serve until SIGINT or SIGTERM."""
    if not wanted.keys and not is_here(wanted.host):
        raise ConfigError(
            f"Refusing to listen on {wanted.host} without a key.",
            hint="Give one with --key, or as AGENTRUN_API_KEYS; `openssl rand -hex 24` makes one.",
        )
    boxes = Boxes(most=wanted.most, templates=Templates(wanted.folder / "templates"))
    with ExitStack() as stack:
        listener = stack.enter_context(_listen(wanted.host, wanted.port))
        servers = [(_server(app.make(boxes, wanted.keys)), listener)]
        served = Served(_address(listener, "http"))
        if wanted.control_port is not None:
            control = stack.enter_context(_listen(wanted.host, wanted.control_port))
            papers = _papers(wanted)
            control_app = app.control(boxes, wanted.keys, wanted.public_hosts)
            servers.append((_server(control_app, papers), control))
            served = Served(served.url, _address(control, "https"), str(papers.authority), str(papers.bundle))
        uvloop.run(_serve(servers, lambda: on_ready(served)))


class _Server(uvicorn.Server):
    """One of several; signals are for all of them."""

    @contextmanager
    def capture_signals(self) -> Generator[None]:
        yield


async def _serve(servers: Sequence[tuple[_Server, socket.socket]], on_ready: Callable[[], None]) -> None:
    def stop() -> None:
        for server, _ in servers:
            server.force_exit = server.should_exit  # asked a second time
            server.should_exit = True

    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop)
    on_ready()  # the sockets listen already: who connects now is answered in a moment
    await asyncio.gather(*(server.serve([listener]) for server, listener in servers))


def _server(served: ASGIApp, papers: Papers | None = None) -> _Server:
    return _Server(
        uvicorn.Config(
            served,
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,
            lifespan="on",
            http=JoinedHttp,
            ws="websockets-sansio",
            timeout_graceful_shutdown=_GRACE_S,
            ssl_certfile=papers and papers.certificate,
            ssl_keyfile=papers and papers.key,
        )
    )


def _papers(wanted: Wanted) -> Papers:
    # cryptography is there only where the extra is
    from agentrun.sandbox.service import authority

    name = socket.gethostname() if wanted.host in ("0.0.0.0", "::") else wanted.host
    return authority.papers(wanted.folder / "authority" / name.replace(":", "_"), name)


def _listen(host: str, port: int) -> socket.socket:
    """A listening socket; a port that is taken is said at once."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        listener = socket.create_server((host, port), family=family, backlog=2048)
    except OSError as error:
        raise ConfigError(
            f"Cannot listen on {host}:{port}: {error.strerror or error}.",
            hint="Another port: --port and --control-port, where 0 takes a free one.",
        ) from None
    # inherited by each connection: without it the second piece of an answer waits for 40 ms
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listener


def _address(listener: socket.socket, scheme: str) -> str:
    host, port = listener.getsockname()[:2]
    return f"{scheme}://[{host}]:{port}" if ":" in host else f"{scheme}://{host}:{port}"
