"""A gateway with one runtime, whose instances run the program that the arguments name. Prints its port, and serves."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from pathlib import Path

import uvloop

from agentrun.platform.drivers.driver import Launch
from agentrun.platform.drivers.local import LocalDriver
from agentrun.platform.gateway.gateway import Gateway
from agentrun.platform.instances.instances import Instances
from agentrun.platform.instances.wanted import Wanted
from agentrun.platform.logs.logs import Logs
from agentrun.platform.traffic import Route, Routes, Share, Table
from agentrun.resources import Limits, Scale

RUNTIME, ENDPOINT = "bench", "production"
PREFIX = f"/agent-runtimes/{RUNTIME}/endpoints/{ENDPOINT}/invocations"


async def serve(folder: Path, app: Path, idle_s: float, preload: bool) -> None:
    logs = Logs(folder / "logs")
    instances = Instances(LocalDriver(folder / "keeper"), logs)
    await instances.start()
    await instances.want([_wanted(folder, app, idle_s, preload)])
    route = Route(RUNTIME, ENDPOINT, (Share(1, 1.0),), (), frozenset([1]))
    routes = Routes()
    routes.replace(Table({(RUNTIME, ENDPOINT): route}, {}, {RUNTIME: route}))
    gateway = Gateway(routes, instances, logs)
    await gateway.listen()
    print(gateway.port, flush=True)
    ended = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, ended.set)
    await ended.wait()
    await gateway.close(0)
    await instances.close(stop=True)


def _wanted(folder: Path, app: Path, idle_s: float, preload: bool) -> Wanted:
    launch = Launch(
        instance="",
        version=f"{RUNTIME}@1",
        command=(sys.executable, str(app)),
        folder=str(app.parent),
        environment={**os.environ, "AGENTRUN_HOST": "127.0.0.1"},
        log="",
        data=str(folder / "data"),
        isolated=False,
        limits=Limits(cpu=16, memory_mb=8192),
        preload=preload,
    )
    scale = Scale(max=1, concurrency=100_000, queue=10_000, idle_s=idle_s, cpu_target=0, memory_target=0)
    return Wanted(RUNTIME, 1, launch, scale)


if __name__ == "__main__":
    _, folder, app, idle_s, preload = sys.argv
    uvloop.run(serve(Path(folder), Path(app), float(idle_s), preload == "preload"))
