"""Kubernetes: a Sandbox of the agent-sandbox project for each of ours, by the program `kubectl`.

Its tests run against a stand-in; it was not tried with a cluster yet.
"""

from __future__ import annotations

import asyncio
import shutil
import subprocess
from datetime import datetime, timedelta, timezone
from typing import Any

import msgspec

from agentrun.errors import SandboxUnavailable
from agentrun.sandbox.backend import Order
from agentrun.sandbox.local import relayed
from agentrun.sandbox.local.box import LocalBox
from agentrun.sandbox.template import Template
from agentrun.sandbox.values import HOME, Isolation

_API, _KIND = "agents.x-k8s.io/v1beta1", "sandboxes.agents.x-k8s.io"
_ANSWER_S, _READY_S = 30, 120
_HELD = {
    "memory": "control group",
    "cpu": "control group",
    "processes": "as the cluster's nodes bound them",
    "disk": "size of its own file systems",
    "system calls": "the runtime's filter",
    "network": "what the cluster's network policies say",
}


class Kubernetes:
    """One pod for each sandbox, of the template's image, in the namespace that kubectl is set to."""

    name = "kubernetes"
    level = "namespaces"

    def lacks(self) -> list[str]:
        if shutil.which("kubectl") is None:
            return ["There is no program kubectl on the PATH."]
        try:
            _kubectl("get", "crd", _KIND)
        except SandboxUnavailable as error:
            return [f"The cluster has no agent-sandbox, or cannot be reached: {error.message}"]
        return []

    async def create(self, order: Order) -> LocalBox:
        template = order.template
        relayed.refuse(
            self.name,
            mounts=bool(order.mounts),
            network_policy=bool(template.network.hosts),
            packages=bool(template.packages or template.preload or template.python),
            browser=template.type.has_browser,
        )
        name = order.id.replace("_", "-")

        def clean() -> None:
            _kubectl("delete", _KIND, name, "--ignore-not-found", "--wait=false")

        def command(words: list[str]) -> list[str]:
            return ["kubectl", "exec", "--stdin", name, "--", *words]

        try:
            await asyncio.to_thread(_prepare, name, template)
        except BaseException:
            await asyncio.to_thread(clean)
            raise
        engine = relayed.Engine(
            command, "python3", relayed.usual_env(), Isolation("namespaces", "kubernetes", _HELD), clean
        )
        return await relayed.open_box(engine, order)


def _prepare(name: str, template: Template) -> None:
    _kubectl("apply", "--filename", "-", given=msgspec.json.encode(manifest(name, template)))
    _kubectl(
        "wait", f"{_KIND}/{name}", "--for=condition=Ready", f"--timeout={_READY_S}s", patience_s=_READY_S + 10
    )


def manifest(name: str, template: Template) -> dict[str, Any]:
    """The Sandbox that is asked of the cluster. It is deleted at the end of its longest life, whatever happens to us."""
    limits = template.limits
    ends = datetime.now(timezone.utc) + timedelta(seconds=template.max_life_s)
    bounds = {"cpu": f"{limits.cpu:g}", "memory": f"{limits.memory_mb}Mi"}
    room = {"emptyDir": {"medium": "Memory", "sizeLimit": f"{limits.disk_mb}Mi"}}
    places = {"home": HOME, "tmp": "/tmp"}
    container = {
        "name": "sandbox",
        "image": template.image,
        "command": ["sleep", "infinity"],
        "env": [{"name": key, "value": value} for key, value in relayed.usual_env().items()],
        "resources": {"limits": bounds, "requests": bounds},
        "volumeMounts": [{"name": volume, "mountPath": path} for volume, path in places.items()],
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        },
    }
    pod = {
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "restartPolicy": "Never",
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": 1000,
            "runAsGroup": 1000,
            "fsGroup": 1000,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "containers": [container],
        "volumes": [{"name": volume, **room} for volume in places],
    }
    return {
        "apiVersion": _API,
        "kind": "Sandbox",
        "metadata": {"name": name},
        "spec": {
            "podTemplate": {"spec": pod},
            "shutdownTime": ends.strftime("%Y-%m-%dT%H:%M:%SZ"),
            "shutdownPolicy": "Delete",
        },
    }


def _kubectl(*words: str, given: bytes = b"", patience_s: float = _ANSWER_S) -> None:
    try:
        done = subprocess.run(["kubectl", *words], input=given, capture_output=True, timeout=patience_s)
    except subprocess.TimeoutExpired:
        raise SandboxUnavailable(f"kubectl {words[0]} took longer than {patience_s:g} s.") from None
    if done.returncode:
        said = done.stderr.decode("utf-8", "replace").strip()[-300:]
        raise SandboxUnavailable(f"kubectl {words[0]} failed: {said}.")
