"""The OpenAPI document of the service is whole, and true: what it allows to be sent is answered as it says."""

from __future__ import annotations

import re
from typing import Any

import httpx
import pytest
import schemathesis
from fastapi import APIRouter
from fastapi.routing import APIRoute
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from agentrun.sandbox.service import contexts, control, files, processes, sandboxes
from agentrun.sandbox.service.app import _Api, api
from agentrun.sandbox.service.boxes import Boxes

from .conftest import Service

CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]
# they end what the others need, never end, or do as they are told for as long as they are told
LEFT_OUT = ("/stop", "/watch", "/cmd", "/execute", "/run", "/interrupt", "/restart", "/fork")


def paths(routers: list[APIRouter]) -> set[tuple[str, str]]:
    found = [route for router in routers for route in router.routes if isinstance(route, APIRoute)]
    return {(route.path, method.lower()) for route in found for method in route.methods}


def described(document: dict[str, Any]) -> set[tuple[str, str]]:
    return {(path, method) for path, operations in document["paths"].items() for method in operations}


def test_every_route_is_described_with_what_it_takes_and_gives(client: httpx.Client):
    document = client.get("/openapi.json").json()
    boxes = Boxes()
    ours = paths([part.routes(boxes) for part in (sandboxes, contexts, files, processes)])
    assert ours <= described(document)
    names = [operation["operationId"] for one in document["paths"].values() for operation in one.values()]
    assert len(set(names)) == len(names)
    for path, method in ours:
        operation = document["paths"][path][method]
        assert operation["description"] and operation["tags"], (path, method)
        for status, answer in operation["responses"].items():
            assert status == "204" or all("schema" in kind for kind in answer["content"].values()), path
        parameters = {one["name"] for one in operation.get("parameters", [])}
        assert {*re.findall(r"{(\w+)}", path)} <= parameters, path


def test_every_route_of_the_original_is_served():
    document = api(Boxes(), []).openapi()
    wanted = """
        post /sandboxes; get /sandboxes/{}; delete /sandboxes/{}; post /sandboxes/{}/stop; get /sandboxes/{}/health;
        get /sandboxes/{}/contexts; post /sandboxes/{}/contexts; get /sandboxes/{}/contexts/{};
        delete /sandboxes/{}/contexts/{}; post /sandboxes/{}/contexts/execute; get /sandboxes/{}/files;
        post /sandboxes/{}/files; get /sandboxes/{}/filesystem; get /sandboxes/{}/filesystem/stat;
        post /sandboxes/{}/filesystem/mkdir; post /sandboxes/{}/filesystem/move;
        post /sandboxes/{}/filesystem/remove; post /sandboxes/{}/filesystem/upload;
        get /sandboxes/{}/filesystem/download; post /sandboxes/{}/processes/cmd; get /sandboxes/{}/processes;
        get /sandboxes/{}/processes/{}; delete /sandboxes/{}/processes/{}
    """
    served = {f"{method} {re.sub('{[^}]*}', '{}', path)}" for path, method in described(document)}
    assert {one.strip() for one in wanted.split(";")} <= served


def test_the_control_plane_is_described_too():
    app = _Api(responses={"4XX": {}, "5XX": {}})
    routes = control.routes(Boxes(), [])
    app.include_router(routes)
    assert ("/2025-09-10/templates/{name}", "put") in described(app.openapi())


@pytest.mark.timeout(300)  # of all operations, one after the other
@pytest.mark.parametrize("mode", list(schemathesis.GenerationMode))
def test_what_is_sent_is_answered_as_the_document_says(
    service: Service, box: str, mode: schemathesis.GenerationMode
):
    id = box.rpartition("/")[2]
    schema = schemathesis.openapi.from_url(f"{service.url}/openapi.json")
    tried: list[str] = []
    for found in schema.include(tag=["sandboxes", "contexts", "files", "processes"]).get_all_operations():
        operation = found.ok()
        negative = mode is schemathesis.GenerationMode.NEGATIVE
        if (
            operation.path.endswith(LEFT_OUT)
            or operation.method == "delete"
            or (negative and not operation.body)
        ):
            continue

        @settings(
            max_examples=15 if operation.method == "post" else 8,
            deadline=None,
            database=None,
            derandomize=True,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        @given(case=operation.as_strategy(generation_mode=mode))
        def check(case: Any):
            if "id" in case.path_parameters:
                case.path_parameters["id"] = id
            case.call_and_validate(checks=CHECKS, timeout=20)

        check()
        tried.append(operation.label)
    assert "POST /sandboxes/{id}/files" in tried
