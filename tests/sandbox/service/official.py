"""The original's Python client, in the environment that its module's name has to itself."""

from __future__ import annotations

import fcntl
import os
import subprocess
from pathlib import Path

from .conftest import Service

ROOT = Path(__file__).parents[3]
VENV = ROOT / ".venv-official-client"


def run_officially(service: Service, key: str, *words: str) -> subprocess.CompletedProcess[str]:
    """Run Python where `agentrun` is the original's client, told of this service by its environment alone."""
    _make()
    env = {
        "PATH": os.environ["PATH"],
        "HOME": str(service.home),
        "AGENTRUN_DATA_ENDPOINT": service.url,
        "AGENTRUN_CONTROL_ENDPOINT": service.said["control_url"],
        "SSL_CERT_FILE": service.said["bundle"],
        "AGENTRUN_ACCESS_KEY_ID": "any",
        "AGENTRUN_ACCESS_KEY_SECRET": key,
        "AGENTRUN_ACCOUNT_ID": "any",  # it goes into the addresses of browsers
        "DISABLE_BREAKING_CHANGES_WARNING": "1",
    }
    return subprocess.run(
        [VENV / "bin" / "python", "-W", "ignore", *words],
        env=env,
        cwd=service.home,
        capture_output=True,
        encoding="utf-8",
        timeout=110,
    )


def _make() -> None:
    """Fill the environment, unless it is as its lock says; tests run in several processes."""
    with VENV.with_name(f"{VENV.name}.lock").open("w", encoding="utf-8") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        subprocess.run([ROOT / "scripts" / "env", "official-client"], check=True, timeout=600)
