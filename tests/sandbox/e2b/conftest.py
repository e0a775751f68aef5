"""E2B's own clients, unmodified, against a service as a user starts it. The same test is for both of them."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from anyio.from_thread import BlockingPortal, start_blocking_portal

from ..service.conftest import Service

TEMPLATES = "sandboxes:\n  open:\n    network: {allow: ['*']}\n    warm: 0\n"
KEYS = ("e2b_" + "0" * 40, "e2b_" + "1" * 40)


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """Where the environment says that E2B is. Its template `open` has a network."""
    home = tmp_path_factory.mktemp("e2b")
    (home / "agentrun.yaml").write_text(TEMPLATES, encoding="utf-8")
    with (
        pytest.MonkeyPatch.context() as patch,
        Service(home, *(word for key in KEYS for word in ("--key", key))) as service,
    ):
        for name in ("E2B_API_URL", "E2B_SANDBOX_URL"):
            patch.setenv(name, f"{service.url}/e2b")
        patch.setenv("E2B_API_KEY", KEYS[0])
        yield service


class Awaited:
    """An asynchronous object as a synchronous one: what a method gives is waited for."""

    def __init__(self, portal: BlockingPortal, inner: Any) -> None:
        self.portal, self.inner = portal, inner

    def __getattr__(self, name: str) -> Any:
        return self._shown(getattr(self.inner, name))

    def _shown(self, value: Any) -> Any:
        if inspect.isroutine(value):
            return lambda *args, **options: self._shown(self.portal.call(_called, value, args, options))
        if isinstance(value, list):
            return [self._shown(one) for one in value]
        return Awaited(self.portal, value) if type(value).__name__ in _WITH_METHODS else value


_WITH_METHODS = (
    "AsyncSandbox",
    "AsyncCommandHandle",
    "AsyncSandboxPaginator",
    "AsyncWatchHandle",
    "Commands",
    "Filesystem",
    "Pty",
)


async def _called(function: Callable[..., Any], args: Any, options: Any) -> Any:
    result = function(*args, **options)
    return await result if inspect.isawaitable(result) else result


@pytest.fixture(scope="module", params=["sync", "async"])
def client(request: pytest.FixtureRequest, served: Service) -> Iterator[Any]:
    """The class Sandbox, or AsyncSandbox as if it were that."""
    e2b = pytest.importorskip("e2b_code_interpreter", reason="E2B's client needs Python 3.11.")
    if request.param == "sync":
        yield e2b.Sandbox
    else:
        with start_blocking_portal() as portal:
            yield Awaited(portal, e2b.AsyncSandbox)


@pytest.fixture(scope="module")
def box(client: Any) -> Iterator[Any]:
    made = client.create(envs={"GIVEN": "at creation"}, metadata={"test": "shared"})
    yield made
    made.kill()
