"""Whatever the control API is asked, it answers: with what was asked for, or with what is wrong about it."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import cycle

import httpx
import pytest

from agentrun.platform.api.routes import ROUTES

from .daemons import PATIENCE_S, Daemon

NAMES = ["shop", "production", "none", "1", "-1", "a" * 300, "..%2f..", "%00", "%F0%9F%92%A9"]
QUERIES = [
    "", "?limit=nan", "?limit=inf", "?limit=-1", "?limit=1e30", "?since=x", "?since=1e300", "?until=-1e300",
    "?kind=x", "?type=x", "?search=%ff", "?follow=0&request=%00",
]  # fmt: skip
BODIES = [
    b"", b"{}", b"[]", b"null", b'"x"', b"{", b"\xff", b'{"reserved": -5}', b'{"reserved": 1e30}', b'{"weight": NaN}',
    b'{"version": -1, "weight": 2}', b'{"version": 1, "weight": -0.5}', b'{"canary": {"version": 9, "weight": 3}}',
    b'{"percent": -3}', b'{"name": "a/b", "scopes": []}', b'{"name": "n", "scopes": ["read"], "per_minute": 0}',
    b'{"value": ""}', b'{"value": "x\\u0000"}', b'{"package": "../../etc"}', b'{"open_ids": [], "parameter": null}',
    b'{"runtime": "shop", "definition": {"command": []}}', b'{"runtime": "shop", "definition": {"command": ["\\u0000"]}}',
    b'{"runtime": "shop", "definition": {"command": ["x"], "package": "../../x"}}',
    b'{"runtime": "shop", "definition": {"command": ["x"], "scale": {"concurrency": 0}}}',
]  # fmt: skip
STEPS = cycle(["start", "test", "percent", "finalize", "rollback", "nonsense"])


@pytest.fixture(scope="module")
def http(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    """With the owner's key, at the socket of a platform that has a runtime."""
    folder = tmp_path_factory.mktemp("control")
    daemon = Daemon(folder / "platform")
    headers = {"authorization": f"Bearer {daemon.where.key}"}
    transport = httpx.HTTPTransport(uds=str(daemon.where.socket))
    try:
        daemon.deploy(folder / "code", "one")
        with httpx.Client(
            transport=transport, base_url="http://platform", headers=headers, timeout=PATIENCE_S
        ) as client:
            yield client
        assert "Traceback" not in daemon.where.log.read_text("utf-8")
    finally:
        daemon.close()


@pytest.mark.parametrize(
    "route",
    [route for route in ROUTES if route.path != "/v1/stop"],
    ids=lambda route: f"{route.method} {route.path}",
)
def test_nonsense_is_told_to_be(http: httpx.Client, route):
    queries, bodies = (QUERIES, [b""]) if route.method == "GET" else ([""], BODIES)
    for name in NAMES:
        for query in queries:
            for body in bodies:
                path = route.path.replace("{action}", next(STEPS))
                for part in ("runtime", "endpoint", "digest", "name", "id"):
                    path = path.replace(f"{{{part}}}", name)
                if (route.method, path) == ("DELETE", "/v1/runtimes/shop"):
                    continue
                answer = http.request(route.method, path + query, content=body)
                assert answer.status_code < 500, (path + query, body, answer.text)
                assert "internal_error" not in answer.text, (path + query, body)
