"""Docker, or Podman under its name: a container for each sandbox, by the program `docker`, wherever its API is.

Its tests run with a Docker daemon; Podman was not tried yet.
"""

from __future__ import annotations

import asyncio
import shutil
import subprocess
from functools import cache

from agentrun.errors import SandboxUnavailable
from agentrun.sandbox.backend import Order
from agentrun.sandbox.local import relayed
from agentrun.sandbox.local.box import LocalBox
from agentrun.sandbox.values import HOME, Isolation

_ANSWER_S = 10
_HELD = {
    "memory": "control group",
    "cpu": "control group",
    "processes": "control group",
    "disk": "size of its own file systems",
    "system calls": "Docker's filter",
    "network": "none but its own loopback device",
}


class Docker:
    """One container for each sandbox, of the template's image."""

    name = "docker"
    level = "namespaces"

    def lacks(self) -> list[str]:
        program = shutil.which("docker")
        if program is None:
            return ["There is no program docker on the PATH. Install Docker, or Podman with podman-docker."]
        try:
            asked = subprocess.run([program, "version"], capture_output=True, timeout=_ANSWER_S)
        except subprocess.TimeoutExpired:
            return [f"The Docker API did not answer within {_ANSWER_S} s."]
        if asked.returncode:
            said = asked.stderr.decode("utf-8", "replace").strip()[-300:]
            return [f"The Docker API does not answer: {said.rstrip('.?') or 'docker version failed'}."]
        return []

    async def create(self, order: Order) -> LocalBox:
        program = shutil.which("docker")
        if program is None:
            raise SandboxUnavailable(" ".join(self.lacks()))
        template = order.template
        relayed.refuse(
            self.name,
            network_policy=bool(template.network.hosts),
            packages=bool(template.packages or template.preload or template.python),
            browser=template.type.has_browser,
        )

        own = await asyncio.to_thread(_own, program)

        def command(words: list[str]) -> list[str]:
            return [program, "run", *_options(order, own), template.image, *words]

        def clean() -> None:
            subprocess.run([program, "rm", "--force", order.id], capture_output=True, timeout=60)

        engine = relayed.Engine(
            command, "python3", relayed.usual_env(), Isolation("namespaces", "docker", _HELD), clean
        )
        return await relayed.open_box(engine, order)


@cache
def _own(program: str) -> str:
    """The option that gives a file system to the sandbox's user also where the image has a folder of root's."""
    said = subprocess.run([program, "--version"], capture_output=True, timeout=_ANSWER_S).stdout
    return "notmpcopyup" if said.startswith(b"podman") else "uid=1000,gid=1000"


def _options(order: Order, own: str) -> list[str]:
    limits = order.template.limits
    words = ["--rm", "--interactive", "--name", order.id, "--hostname", "sandbox", "--workdir", "/"]
    words += ["--network", "none", "--read-only", "--cap-drop", "ALL", "--user", "1000:1000"]
    words += ["--security-opt", "no-new-privileges", "--pids-limit", str(limits.processes)]
    words += ["--memory", f"{limits.memory_mb}m", "--memory-swap", f"{limits.memory_mb}m"]
    words += ["--cpus", f"{limits.cpu:g}", "--ulimit", f"nofile={limits.open_files}"]
    words += ["--ulimit", f"fsize={limits.file_mb << 20}", "--ulimit", "core=0"]
    for path in (HOME, "/tmp", "/dev/shm"):
        words += ["--tmpfs", f"{path}:rw,exec,nosuid,nodev,{own},mode=1777,size={limits.disk_mb}m"]
    for name, value in relayed.usual_env().items():
        words += ["--env", f"{name}={value}"]
    for mount in order.mounts:
        way = "" if mount.writable else ",readonly"
        words += ["--mount", f"type=bind,source={mount.source},target={mount.target}{way}"]
    return words
