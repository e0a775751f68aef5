"""The control API's OpenAPI document: it has every route, and what it allows to be sent is answered as it says."""

from __future__ import annotations

import asyncio
import re
import socket
from collections.abc import Iterator
from typing import Any

import httpx
import msgspec
import pytest
import schemathesis
import uvicorn
from hypothesis import HealthCheck, Phase, given, settings
from patience import PATIENCE_S
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import response_schema_conformance, status_code_conformance

from agentrun.client import Access, AsyncClient
from agentrun.platform.api import control_app
from agentrun.platform.api.routes import ROUTES, Control
from agentrun.platform.core import Core
from agentrun.platform.logs.logs import Logs
from agentrun.platform.store import open_store
from agentrun.resources import Definition, Deployment, Status
from agentrun.utils import portal

from .conftest import Clock, core_of
from .fleet import FakeFleet


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The control API of a platform whose instances are no processes, with one runtime."""
    folder = tmp_path_factory.mktemp("control")
    store = open_store(f"sqlite://{folder}/core.db")
    core = core_of(store, FakeFleet(), folder, Clock())
    status = Status(1, "0", "http://gateway", str(folder), "sqlite", "now", 0, 0)
    app = control_app(
        Control(core, Logs(folder / "logs"), lambda: status, lambda _: None), lambda *_: "somebody"
    )
    server = uvicorn.Server(uvicorn.Config(app, log_level="warning", lifespan="off"))
    with socket.create_server(("127.0.0.1", 0)) as listener:
        address = f"http://127.0.0.1:{listener.getsockname()[1]}"
        serving = portal.run(_begun(server, listener, core, address))
        yield address
        server.should_exit = True
        portal.run(_ended(serving))
    store.close()


async def _begun(
    server: uvicorn.Server, listener: socket.socket, core: Core, address: str
) -> asyncio.Task[None]:
    await core.refresh()
    serving = asyncio.create_task(server.serve([listener]))
    async with AsyncClient(Access(url=address)) as client:
        await client.deploy(Deployment("shop", Definition(("python3", "app.py"))), lambda _: None)
    return serving


async def _ended(serving: asyncio.Task[None]) -> None:
    await serving


def test_the_document_has_every_route_and_nothing_else(url: str):
    found: dict[str, Any] = httpx.get(f"{url}/v1/openapi.json", timeout=PATIENCE_S).json()
    documented = {(method.upper(), path) for path, each in found["paths"].items() for method in each}
    assert documented == {(route.method, route.path) for route in ROUTES}
    ids = [operation["operationId"] for each in found["paths"].values() for operation in each.values()]
    assert len(ids) == len(set(ids))
    refers = set(re.findall(r'"#/components/schemas/(\w+)"', msgspec.json.encode(found).decode()))
    assert refers == found["components"]["schemas"].keys()


def test_every_operation_answers_as_the_document_says(url: str):
    schema = schemathesis.openapi.from_url(f"{url}/v1/openapi.json")
    tried: list[str] = []
    for found in schema.get_all_operations():
        operation = found.ok()

        @settings(
            max_examples=8,
            deadline=None,
            database=None,
            derandomize=True,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        @given(case=operation.as_strategy())
        def check(case: Any):
            if "runtime" in (case.path_parameters or {}) and case.method != "DELETE":
                case.path_parameters["runtime"] = "shop"
            if case.query and "follow" in case.query:
                del case.query["follow"]  # it would go on for as long as the platform does
            checks = [not_a_server_error, status_code_conformance]
            if "ndjson" not in str(case.operation.definition.raw):  # whose lines are looked at below
                checks.append(response_schema_conformance)
            case.call_and_validate(checks=checks, timeout=PATIENCE_S)

        check()
        tried.append(operation.label)
    assert len(tried) == len(ROUTES)


def test_lines_of_a_stream_are_as_the_document_says(url: str):
    document = httpx.get(f"{url}/v1/openapi.json", timeout=PATIENCE_S).json()
    said = document["paths"]["/v1/runtimes/{runtime}/deployments"]["post"]["responses"]["200"]["content"]
    assert said == {"application/x-ndjson": {"schema": {"$ref": "#/components/schemas/Progress"}}}
    body = msgspec.json.encode(Deployment("shop", Definition(("python3", "other.py"))))
    lines = httpx.post(
        f"{url}/v1/runtimes/shop/deployments", content=body, timeout=PATIENCE_S
    ).text.splitlines()
    known = document["components"]["schemas"]["Progress"]["properties"].keys()
    assert all(msgspec.json.decode(line, type=dict[str, Any]).keys() <= known for line in lines)
    assert "result" in msgspec.json.decode(lines[-1])
