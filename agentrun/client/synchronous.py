"""Client: the operations of `AsyncClient`, for code that does not await."""

from __future__ import annotations

from collections.abc import Iterator
from types import TracebackType
from typing import Any

from agentrun.client.access import Access
from agentrun.client.asynchronous import AsyncClient, Say
from agentrun.client.terminal import Terminal
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
from agentrun.utils import portal


class Client:
    """See the module. Use it in `with`."""

    def __init__(self, access: Access) -> None:
        self._client = AsyncClient(access)

    def __enter__(self) -> Client:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        return portal.run(self._client.close())

    def status(self) -> Status:
        return portal.run(self._client.status())

    def stop(self, *, instances: bool = False) -> None:
        """End the daemon; its instances go on unless they are to end too."""
        return portal.run(self._client.stop(instances=instances))

    def audits(self, limit: int = 100) -> list[dict[str, Any]]:
        """Who did what, the newest first."""
        return portal.run(self._client.audits(limit))

    def has_package(self, digest: str) -> bool:
        return portal.run(self._client.has_package(digest))

    def put_package(self, digest: str, data: bytes) -> None:
        return portal.run(self._client.put_package(digest, data))

    def get_package(self, digest: str) -> bytes:
        return portal.run(self._client.get_package(digest))

    def build(self, package: str, language: str, say: Say) -> BuildResult:
        """Install what a package requires, if it is not there."""
        return portal.run(self._client.build(package, language, say))

    def deploy(self, deployment: Deployment, say: Say) -> Deployed:
        """Make a version, and let the endpoints be as the deployment says."""
        return portal.run(self._client.deploy(deployment, say))

    def deploy_logs(self, runtime: str, limit: int = 20) -> list[DeployLog]:
        """What deploys said, failed ones too; the newest first."""
        return portal.run(self._client.deploy_logs(runtime, limit))

    def runtimes(self) -> list[RuntimeInfo]:
        return portal.run(self._client.runtimes())

    def info(self, runtime: str) -> RuntimeInfo:
        return portal.run(self._client.info(runtime))

    def deployed(self, runtime: str) -> LatestDeployed:
        """The newest version and what it is made of; hidden values are `***`."""
        return portal.run(self._client.deployed(runtime))

    def remove(self, runtime: str) -> None:
        """Take a runtime away, with all that is its own."""
        return portal.run(self._client.remove(runtime))

    def versions(self, runtime: str) -> list[VersionInfo]:
        return portal.run(self._client.versions(runtime))

    def publish_version(self, runtime: str, description: str = "") -> VersionInfo:
        """Label the newest version."""
        return portal.run(self._client.publish_version(runtime, description))

    def concurrency(self, runtime: str) -> Concurrency:
        return portal.run(self._client.concurrency(runtime))

    def reserve(self, runtime: str, reserved: int) -> Concurrency:
        """Keep instances for this many requests at a time."""
        return portal.run(self._client.reserve(runtime, reserved))

    def unreserve(self, runtime: str) -> None:
        return portal.run(self._client.unreserve(runtime))

    def endpoints(self, runtime: str) -> list[EndpointInfo]:
        return portal.run(self._client.endpoints(runtime))

    def endpoint(self, runtime: str, name: str) -> EndpointInfo:
        return portal.run(self._client.endpoint(runtime, name))

    def publish_endpoint(
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
        return portal.run(
            self._client.publish_endpoint(
                runtime, name, version=version, weight=weight, canary=canary, description=description
            )
        )

    def remove_endpoint(self, runtime: str, name: str) -> None:
        return portal.run(self._client.remove_endpoint(runtime, name))

    def release(self, runtime: str) -> Release:
        return portal.run(self._client.release(runtime))

    def release_start(
        self,
        runtime: str,
        *,
        version: int | None = None,
        max_error_rate: float = 0.05,
        max_latency_ms: float | None = None,
    ) -> Release:
        return portal.run(
            self._client.release_start(
                runtime, version=version, max_error_rate=max_error_rate, max_latency_ms=max_latency_ms
            )
        )

    def release_test(self, runtime: str, testers: Testers) -> Release:
        return portal.run(self._client.release_test(runtime, testers))

    def release_percent(self, runtime: str, percent: float) -> Release:
        return portal.run(self._client.release_percent(runtime, percent))

    def release_finalize(self, runtime: str) -> Release:
        return portal.run(self._client.release_finalize(runtime))

    def release_rollback(self, runtime: str, why: str = "") -> Release:
        return portal.run(self._client.release_rollback(runtime, why))

    def instances(self, runtime: str) -> list[InstanceInfo]:
        return portal.run(self._client.instances(runtime))

    def exec(
        self, runtime: str, instance: str, argv: list[str], *, folder: str = "", terminal: bool = False
    ) -> Terminal:
        """Run a command beside an instance."""
        return portal.run(self._client.exec(runtime, instance, argv, folder=folder, terminal=terminal))

    def logs(self, runtime: str, **query: str) -> Iterator[LogLine]:
        """The lines that fit; `follow="true"` goes on with those to come."""
        return portal.iterate(self._client.logs(runtime, **query))

    def secrets(self) -> list[SecretInfo]:
        return portal.run(self._client.secrets())

    def set_secret(self, name: str, value: str) -> SecretInfo:
        return portal.run(self._client.set_secret(name, value))

    def remove_secret(self, name: str) -> None:
        return portal.run(self._client.remove_secret(name))

    def keys(self) -> list[Key]:
        return portal.run(self._client.keys())

    def make_key(
        self,
        name: str,
        scopes: list[Scope],
        *,
        runtimes: list[str] | None = None,
        per_minute: int = 600,
        trusted: bool = False,
    ) -> NewKey:
        return portal.run(
            self._client.make_key(name, scopes, runtimes=runtimes, per_minute=per_minute, trusted=trusted)
        )

    def rotate_key(self, id: str) -> NewKey:
        return portal.run(self._client.rotate_key(id))

    def remove_key(self, id: str) -> None:
        return portal.run(self._client.remove_key(id))
