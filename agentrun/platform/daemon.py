"""The daemon: one process for each platform, which joins its parts and ends cleanly."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import resource
import signal
import socket
import sys
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from logging.handlers import RotatingFileHandler
from pathlib import Path

import uvicorn
import uvloop

from agentrun.config import environment
from agentrun.errors import AgentRunError, ConfigError
from agentrun.platform import guard, peers
from agentrun.platform.actions import access, releases, view
from agentrun.platform.api import control_app
from agentrun.platform.api.progress import shape
from agentrun.platform.api.routes import Control
from agentrun.platform.builds import Environments, Packages
from agentrun.platform.core import Core
from agentrun.platform.drivers import registry
from agentrun.platform.gateway.gateway import Gateway
from agentrun.platform.home import Home, hold, home
from agentrun.platform.instances.instances import Instances
from agentrun.platform.keys import Keys
from agentrun.platform.launch import Places
from agentrun.platform.logs.logs import Logs
from agentrun.platform.secrets import Secrets
from agentrun.platform.store import open_store
from agentrun.platform.traffic import Routes
from agentrun.resources import Status
from agentrun.utils.tasks import end as end_tasks
from agentrun.version import __version__

_log = logging.getLogger(__name__)
_TICK_S = 1.0
_GRACE_S = 10.0
_LOG_BYTES = 5_000_000


class AlreadyRunning(ConfigError):
    """Another daemon has this platform."""

    code = "already_running"


def main() -> None:
    """`python -m agentrun.platform.daemon FOLDER [READY_FD]`: READY_FD gets one line, when it is up or why it is not."""
    ready = int(sys.argv[2]) if len(sys.argv) > 2 else None
    if ready is not None:
        _leave_parent()
    try:
        where = home(Path(sys.argv[1]))
        _configure_logging(where)
        uvloop.run(run(where, lambda url: _tell(ready, {"url": url})))
    except AgentRunError as error:
        _log.error("%s", error)
        _tell(ready, {"error": shape(error)})
        raise SystemExit(1) from None
    except Exception as error:
        _log.exception("The daemon failed")
        _tell(ready, {"error": shape(AgentRunError(f"The platform failed: {error}."))})
        raise SystemExit(1) from None


def _leave_parent() -> None:
    """Whoever started it has no child to wait for, and no terminal of theirs ends it."""
    if os.fork():
        os._exit(0)
    os.setsid()


def _tell(ready: int | None, said: dict[str, object]) -> None:
    if ready is not None:
        with suppress(OSError):
            os.write(ready, json.dumps(said).encode() + b"\n")
            os.close(ready)


def _configure_logging(where: Home) -> None:
    where.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    handler = RotatingFileHandler(where.log, maxBytes=_LOG_BYTES, backupCount=2, encoding="utf-8")
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    logging.basicConfig(level=logging.INFO, handlers=[handler])
    for name in ("httpx", "uvicorn.error"):
        logging.getLogger(name).setLevel(logging.WARNING)


async def run(where: Home, on_ready: Callable[[str], None]) -> None:
    """Serve until a signal, or until somebody asks it to stop."""
    end: asyncio.Future[bool] = asyncio.get_running_loop().create_future()

    def stop(instances: bool) -> None:
        if not end.done():
            end.set_result(instances)

    for sign in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(sign, stop, False)
    async with AsyncExitStack() as stack:
        stack.callback(os.close, _lock(where))
        url = await _begin(where, stack, stop, end)
        on_ready(url)
        _log.info("The platform is up: %s, %s", where.socket, url)
        await end
        _log.info("The platform stops")


def _lock(where: Home) -> int:
    fd = hold(where)
    if fd is None:
        raise AlreadyRunning(f"The platform in {where.folder} is running already.")
    return fd


def _end_without_folder(where: Home, stop: Callable[[bool], None]) -> Callable[[], None]:
    """Who removes the platform's folder wants none."""

    def look() -> None:
        if not where.lock.exists():
            _log.warning("%s is gone", where.folder)
            stop(True)

    return look


async def _begin(
    where: Home, stack: AsyncExitStack, stop: Callable[[bool], None], end: asyncio.Future[bool]
) -> str:
    store = open_store(where.store)
    stack.callback(store.close)
    logs, routes, keys = Logs(where.folder / "logs"), Routes(), Keys()
    stack.callback(logs.close)
    instances = Instances(registry.named(where.driver)(where.folder / "instances"), logs)
    packages, environments = Packages(where.folder / "packages"), Environments(where.folder / "environments")
    gateway = Gateway(
        routes, instances, logs, admit=guard.of_callers(keys, where.gateway[0]), limits=where.limits
    )
    core = Core(
        store=store,
        routes=routes,
        fleet=instances,
        packages=packages,
        environments=environments,
        secrets=Secrets(where.folder / "secrets"),
        keys=keys,
        places=Places(
            packages.path,
            environments.path,
            where.folder / "data",
            environment("PATH") or os.defpath,
            lambda: _url(where.gateway[0], gateway.port),
            where.folder / "agentrun.yaml",
        ),
        clock=time.time,
        driver=where.driver,
    )
    await access.load_keys(core)
    await instances.start()
    stack.push_async_callback(lambda: instances.close(stop=end.done() and end.result()))
    await core.refresh()
    await _listen(core, gateway, where.gateway)
    stack.push_async_callback(lambda: gateway.close(_GRACE_S))
    await stack.enter_async_context(_ticking(core, _end_without_folder(where, stop)))
    reached = await asyncio.to_thread(_open_to_others, where)
    control = Control(core, logs, _status(where, core, reached), stop)
    at_socket = guard.of_socket(where.new_key(), instances.owns)
    await stack.enter_async_context(_serving(control, at_socket, _unix(where.socket)))
    if reached is not None:
        await stack.enter_async_context(_serving(control, guard.of_keys(keys), reached))
    return core.places.url()


async def _listen(core: Core, gateway: Gateway, wanted: tuple[str, int]) -> None:
    """At the port of last time, so that addresses stay; at another only if that is taken."""
    host, port = wanted
    last = await core.records(lambda records: records.setting("gateway_port"))
    for candidate in dict.fromkeys([port, int(last or port), 0]):
        try:
            await gateway.listen(host, candidate)
            break
        except (ConfigError, OSError) as error:
            _log.warning("Port %d of %s cannot be had: %s", candidate, host, error)
    await core.records(lambda records: records.set_setting("gateway_port", str(gateway.port)))


def _url(host: str, port: int) -> str:
    shown = "127.0.0.1" if host in ("0.0.0.0", "::", "") else host
    return f"http://[{shown}]:{port}" if ":" in shown else f"http://{shown}:{port}"


@asynccontextmanager
async def _ticking(core: Core, look: Callable[[], object]) -> AsyncGenerator[None]:
    async def tick() -> None:
        while True:
            await asyncio.sleep(_TICK_S)
            look()
            if core.warm or core.snapshot.rollouts or core.is_stale:
                try:
                    await releases.watch(core)
                    await core.again()
                except Exception:
                    _log.exception("What time changes could not be done")

    task = asyncio.create_task(tick())
    try:
        yield
    finally:
        await end_tasks(task)


class _Server(uvicorn.Server):
    """Signals are the daemon's."""

    def install_signal_handlers(self) -> None:
        pass

    @asynccontextmanager
    async def running(self, listener: socket.socket) -> AsyncGenerator[None]:
        self.config.load()
        self.lifespan = self.config.lifespan_class(self.config)
        await self.startup(sockets=[listener])
        beat = asyncio.create_task(self.main_loop())
        try:
            yield
        finally:
            self.should_exit = True
            await beat
            await self.shutdown(sockets=[listener])


@asynccontextmanager
async def _serving(control: Control, who: guard.Guard, listener: socket.socket) -> AsyncGenerator[None]:
    is_local = listener.family == socket.AF_UNIX
    options = uvicorn.Config(
        control_app(control, who),
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        lifespan="off",
        http=peers.Http if is_local else "auto",
        ws=peers.WebSocket if is_local else "websockets-sansio",
        timeout_graceful_shutdown=2,
    )
    async with _Server(options).running(listener):
        yield


def _open_to_others(where: Home) -> socket.socket | None:
    """The control API's second listener, where one is wanted; it asks for keys."""
    if where.control is None:
        return None
    try:
        return socket.create_server(where.control)
    except OSError as error:
        host, port = where.control
        raise ConfigError(
            f"The control API cannot listen on {host}:{port}: {error.strerror}.",
            hint="Set AGENTRUN_PLATFORM_LISTEN to another address, or to none.",
        ) from None


def _unix(path: Path) -> socket.socket:
    """A socket that only this user can open; one that is left of a daemon before is taken away."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    if path.parent.stat().st_uid != os.getuid():
        raise ConfigError(f"{path.parent} belongs to another user.", hint="Set AGENTRUN_PLATFORM_HOME.")
    path.unlink(missing_ok=True)
    listener = socket.socket(socket.AF_UNIX)
    before = os.umask(0o177)
    try:
        listener.bind(str(path))
    finally:
        os.umask(before)
    listener.listen(128)
    return listener


def _status(where: Home, core: Core, reached: socket.socket | None) -> Callable[[], Status]:
    started_at = time.time()
    control = _url(*reached.getsockname()[:2]) if reached is not None else ""

    def status() -> Status:
        scheme = where.store.partition(":")[0]
        return Status(
            pid=os.getpid(),
            version=__version__,
            url=core.places.url(),
            control_url=control,
            folder=str(where.folder),
            store=scheme,
            started_at=view.iso(started_at),
            runtimes=len(core.snapshot.runtimes),
            versions=len(core.snapshot.versions),
            instances=tuple(view.instance_info(instance) for instance in core.fleet.list()),
            memory_mb=round(_memory_mb(), 1),
        )

    return status


def _memory_mb() -> float:
    try:
        pages = int(Path("/proc/self/statm").read_text("ascii").split()[1])
    except OSError:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return pages * resource.getpagesize() / 1024 / 1024


if __name__ == "__main__":
    main()
