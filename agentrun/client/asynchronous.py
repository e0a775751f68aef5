"""AsyncClient: every operation of the control API."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import asynccontextmanager
from types import TracebackType
from typing import Any, TypeVar
from urllib.parse import quote

import httpx
import msgspec

from agentrun.client import failures
from agentrun.client.access import Access
from agentrun.client.terminal import Terminal, open_terminal
from agentrun.errors import AgentRunError, Unavailable
from agentrun.resources import (
    BuildResult,
    Canary,
    Concurrency,
    Deployed,
    DeployLog,
    Deployment,
    EndpointInfo,
    InstanceInfo,
    Key,
    LatestDeployed,
    LogLine,
    NewKey,
    Published,
    Release,
    RuntimeInfo,
    Scope,
    SecretInfo,
    Status,
    Testers,
    VersionInfo,
)
from agentrun.utils.json import dumps

T = TypeVar("T")
Say = Callable[[str], object]


class _Progress(msgspec.Struct):
    say: str | None = None
    result: msgspec.Raw = msgspec.Raw()
    error: dict[str, Any] | None = None


class AsyncClient:
    """See the module. Use it in `async with`, on one loop."""

    def __init__(self, access: Access) -> None:
        self._access = access
        self._http = access.http()

    async def __aenter__(self) -> AsyncClient:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        await self._http.aclose()

    # the platform

    async def status(self) -> Status:
        return await self._get(Status, "status")

    async def stop(self, *, instances: bool = False) -> None:
        """End the daemon; its instances go on unless they are to end too."""
        await self._send("POST", "stop", query={"instances": "true"} if instances else None)

    async def audits(self, limit: int = 100) -> list[dict[str, Any]]:
        """Who did what, the newest first."""
        return await self._get(list[dict[str, Any]], "audits", query={"limit": str(limit)})

    # code

    async def has_package(self, digest: str) -> bool:
        response = await self._try("HEAD", self._path("packages", digest))
        return response.is_success

    async def put_package(self, digest: str, data: bytes) -> None:
        await self._send("PUT", "packages", digest, body=data)

    async def get_package(self, digest: str) -> bytes:
        return await self._send("GET", "packages", digest)

    async def build(self, package: str, language: str, say: Say) -> BuildResult:
        """Install what a package requires, if it is not there."""
        body = {"package": package, "language": language}
        return await self._progress(BuildResult, self._path("builds"), body, say)

    async def deploy(self, deployment: Deployment, say: Say) -> Deployed:
        """Make a version, and let the endpoints be as the deployment says."""
        path = self._path("runtimes", deployment.runtime, "deployments")
        return await self._progress(Deployed, path, deployment, say)

    async def deploy_logs(self, runtime: str, limit: int = 20) -> list[DeployLog]:
        """What deploys said, failed ones too; the newest first."""
        query = {"limit": str(limit)}
        return await self._get(list[DeployLog], "runtimes", runtime, "deployments", query=query)

    # runtimes

    async def runtimes(self) -> list[RuntimeInfo]:
        return await self._get(list[RuntimeInfo], "runtimes")

    async def info(self, runtime: str) -> RuntimeInfo:
        return await self._get(RuntimeInfo, "runtimes", runtime)

    async def deployed(self, runtime: str) -> LatestDeployed:
        """The newest version and what it is made of; hidden values are `***`."""
        return await self._get(LatestDeployed, "runtimes", runtime, "deployed")

    async def remove(self, runtime: str) -> None:
        """Take a runtime away, with all that is its own."""
        await self._send("DELETE", "runtimes", runtime)

    async def versions(self, runtime: str) -> list[VersionInfo]:
        return await self._get(list[VersionInfo], "runtimes", runtime, "versions")

    async def publish_version(self, runtime: str, description: str = "") -> VersionInfo:
        """Label the newest version."""
        return await self._put(
            VersionInfo, "POST", {"description": description}, "runtimes", runtime, "versions"
        )

    async def concurrency(self, runtime: str) -> Concurrency:
        return await self._get(Concurrency, "runtimes", runtime, "concurrency")

    async def reserve(self, runtime: str, reserved: int) -> Concurrency:
        """Keep instances for this many requests at a time."""
        return await self._put(Concurrency, "PUT", {"reserved": reserved}, "runtimes", runtime, "concurrency")

    async def unreserve(self, runtime: str) -> None:
        await self._send("DELETE", "runtimes", runtime, "concurrency")

    # endpoints

    async def endpoints(self, runtime: str) -> list[EndpointInfo]:
        return await self._get(list[EndpointInfo], "runtimes", runtime, "endpoints")

    async def endpoint(self, runtime: str, name: str) -> EndpointInfo:
        return await self._get(EndpointInfo, "runtimes", runtime, "endpoints", name)

    async def publish_endpoint(
        self,
        runtime: str,
        name: str,
        *,
        version: int | None = None,
        weight: float | None = None,
        canary: Canary | None = None,
        description: str | None = None,
    ) -> Published:
        """Make an endpoint or change it; no version is LATEST."""
        body = {"version": version, "weight": weight, "canary": canary, "description": description}
        return await self._put(Published, "PUT", body, "runtimes", runtime, "endpoints", name)

    async def remove_endpoint(self, runtime: str, name: str) -> None:
        await self._send("DELETE", "runtimes", runtime, "endpoints", name)

    # gray releases

    async def release(self, runtime: str) -> Release:
        return await self._get(Release, "runtimes", runtime, "release")

    async def release_start(
        self,
        runtime: str,
        *,
        version: int | None = None,
        max_error_rate: float = 0.05,
        max_latency_ms: float | None = None,
    ) -> Release:
        body = {"version": version, "max_error_rate": max_error_rate, "max_latency_ms": max_latency_ms}
        return await self._step(runtime, "start", body)

    async def release_test(self, runtime: str, testers: Testers) -> Release:
        return await self._step(runtime, "test", testers)

    async def release_percent(self, runtime: str, percent: float) -> Release:
        return await self._step(runtime, "percent", {"percent": percent})

    async def release_finalize(self, runtime: str) -> Release:
        return await self._step(runtime, "finalize", {})

    async def release_rollback(self, runtime: str, why: str = "") -> Release:
        return await self._step(runtime, "rollback", {"why": why})

    async def _step(self, runtime: str, action: str, body: object) -> Release:
        return await self._put(Release, "POST", body, "runtimes", runtime, "release", action)

    # instances and logs

    async def instances(self, runtime: str) -> list[InstanceInfo]:
        return await self._get(list[InstanceInfo], "runtimes", runtime, "instances")

    async def exec(
        self, runtime: str, instance: str, argv: list[str], *, folder: str = "", terminal: bool = False
    ) -> Terminal:
        """Run a command beside an instance."""
        path = self._path("runtimes", runtime, "instances", instance, "exec")
        return await open_terminal(self._access, path, argv, folder=folder, terminal=terminal)

    async def logs(self, runtime: str, **query: str) -> AsyncIterator[LogLine]:
        """The lines that fit; `follow="true"` goes on with those to come."""
        path = self._path("runtimes", runtime, "logs")
        async with self._stream("GET", path, params=query) as response:
            async for line in response.aiter_lines():
                yield msgspec.json.decode(line, type=LogLine)

    # secrets and keys

    async def secrets(self) -> list[SecretInfo]:
        return await self._get(list[SecretInfo], "secrets")

    async def set_secret(self, name: str, value: str) -> SecretInfo:
        return await self._put(SecretInfo, "PUT", {"value": value}, "secrets", name)

    async def remove_secret(self, name: str) -> None:
        await self._send("DELETE", "secrets", name)

    async def keys(self) -> list[Key]:
        return await self._get(list[Key], "keys")

    async def make_key(
        self,
        name: str,
        scopes: list[Scope],
        *,
        runtimes: list[str] | None = None,
        per_minute: int = 600,
        trusted: bool = False,
    ) -> NewKey:
        body = {"name": name, "scopes": scopes, "runtimes": runtimes or [], "per_minute": per_minute}
        return await self._put(NewKey, "POST", {**body, "trusted": trusted}, "keys")

    async def rotate_key(self, id: str) -> NewKey:
        return await self._put(NewKey, "POST", {}, "keys", id)

    async def remove_key(self, id: str) -> None:
        await self._send("DELETE", "keys", id)

    # how

    async def _get(self, kind: type[T], *path: str, query: dict[str, str] | None = None) -> T:
        return msgspec.json.decode(await self._send("GET", *path, query=query), type=kind)

    async def _put(self, kind: type[T], method: str, body: object, *path: str) -> T:
        return msgspec.json.decode(await self._send(method, *path, body=dumps(body)), type=kind)

    async def _send(
        self, method: str, *path: str, body: bytes | None = None, query: dict[str, str] | None = None
    ) -> bytes:
        response = await self._try(method, self._path(*path), content=body, params=query)
        if not response.is_success:
            raise failures.of_answer(response.status_code, response.content)
        return response.content

    async def _progress(self, kind: type[T], path: str, body: object, say: Say) -> T:
        async with self._stream("POST", path, content=dumps(body)) as response:
            async for line in response.aiter_lines():
                step = msgspec.json.decode(line, type=_Progress)
                if step.say is not None:
                    say(step.say)
                if step.error is not None:
                    raise failures.of_shape(step.error)
                if bytes(step.result):
                    return msgspec.json.decode(step.result, type=kind)
        raise AgentRunError(
            "The platform ended in the middle.", hint="Run the command again.", code="incomplete"
        )

    async def _try(self, method: str, path: str, **options: Any) -> httpx.Response:
        try:
            return await self._http.request(method, path, **options)
        except httpx.TransportError as error:
            raise _unreachable(self._access, error) from None

    @asynccontextmanager
    async def _stream(self, method: str, path: str, **options: Any) -> AsyncGenerator[httpx.Response]:
        try:
            async with self._http.stream(method, path, **options) as response:
                if not response.is_success:
                    raise failures.of_answer(response.status_code, await response.aread())
                yield response
        except httpx.TransportError as error:
            raise _unreachable(self._access, error) from None

    @staticmethod
    def _path(*parts: str) -> str:
        return "/v1/" + "/".join(quote(part, safe="") for part in parts)


def _unreachable(access: Access, error: Exception) -> Unavailable:
    where = str(access.socket or access.url)
    return Unavailable(
        f"The platform at {where} cannot be reached: {error or type(error).__name__}.", code="unreachable"
    )
