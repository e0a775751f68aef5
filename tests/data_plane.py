"""A gateway on a real socket, before instances of a fake driver."""

from __future__ import annotations

import asyncio

import httpx
from fake_driver import FakeDriver
from patience import PATIENCE_S

from agentrun.platform.drivers.driver import Launch
from agentrun.platform.gateway.gateway import Gateway
from agentrun.platform.gateway.limits import GatewayLimits
from agentrun.platform.instances.instances import Instances
from agentrun.platform.instances.wanted import Wanted
from agentrun.platform.logs.logs import Logs
from agentrun.platform.traffic import Route, Routes, Share, Table
from agentrun.resources import HealthCheck, Scale, Sessions


def wanted(version: int = 1, *, sessions: Sessions | None = None, **scale) -> Wanted:
    launch = Launch(
        instance="",
        version=f"a@{version}",
        command=("serve",),
        folder="/",
        environment={},
        log="",
        health=HealthCheck(period_s=0.05, timeout_s=5, start_timeout_s=20),
    )
    return Wanted("a", version, launch, Scale(**{"idle_s": 600.0, **scale}), sessions or Sessions())


def table(**shares: float) -> Table:
    """table(v1=0.9, v2=0.1): what `production` shares; each version has its own address."""
    weights = {int(name[1:]): weight for name, weight in shares.items()}
    known = frozenset(weights)
    route = Route("a", "production", tuple(Share(*one) for one in sorted(weights.items())), (), known)
    own = {("a", one): Route("a", "", (Share(one, 1.0),), (), frozenset([one])) for one in known}
    return Table({("a", "production"): route}, own, {"a": route})


class Platform:
    """The parts under test, and a client."""

    def __init__(self, folder, admit=None, limits=None, driver=None) -> None:
        self.driver = driver or FakeDriver()
        self.logs = Logs(folder)
        self.instances = Instances(self.driver, self.logs)
        self.routes = Routes()
        options = {"admit": admit} if admit else {}
        self.gateway = Gateway(
            self.routes, self.instances, self.logs, limits=limits or GatewayLimits(), **options
        )

    async def open(self, *wants, **shares) -> None:
        await self.instances.start()
        await self.instances.want(wants or [wanted()])
        self.routes.replace(table(**(shares or {"v1": 1.0})))
        await self.gateway.listen()
        base = f"http://127.0.0.1:{self.gateway.port}/agent-runtimes/a"
        limits = httpx.Limits(max_connections=None)
        self.client = httpx.AsyncClient(base_url=base, timeout=PATIENCE_S, limits=limits)

    async def close(self) -> None:
        await self.client.aclose()
        await self.gateway.close(0)
        await self.instances.close(stop=True)
        self.logs.close()

    async def get(self, path: str = "/echo", **options) -> httpx.Response:
        return await self.client.get(f"/endpoints/production/invocations{path}", **options)

    async def post(self, path: str = "/echo", **options) -> httpx.Response:
        return await self.client.post(f"/endpoints/production/invocations{path}", **options)

    def stream(self, path: str = "/stream", **options):
        return self.client.stream("GET", f"/endpoints/production/invocations{path}", **options)

    async def raw(self, data: bytes) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.gateway.port)
        writer.write(data.replace(b"/@", b"/agent-runtimes/a/endpoints/production/invocations"))
        return reader, writer

    @property
    def all(self):
        return list(self.driver.running.values())

    @property
    def pool(self):
        return self.instances.pool("a@1")

    def records(self):
        return [line.record for line in self.logs.search("a") if line.record]


async def until(condition, what: str = "it did not come about") -> None:
    """Wait for something that nothing tells of."""
    for _ in range(PATIENCE_S * 200):
        if condition():
            return
        await asyncio.sleep(0.005)
    raise AssertionError(what)
