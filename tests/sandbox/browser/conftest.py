"""Chromium, and a sandbox with one in which a small site is served."""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from agentrun.sandbox import SyncSandbox
from agentrun.sandbox.browser import program

from ..conftest import create

SITE = Path(__file__).parent / "site"
PACKAGES = ("chromium-headless-shell", "chromium")
READY = (
    "for i in $(seq 1000); do (exec 3<>/dev/tcp/127.0.0.1/8000) 2>/dev/null && exit; sleep 0.1; done; exit 1"
)


@pytest.fixture(scope="session", autouse=True)
def chromium() -> None:
    bring()


def bring() -> None:
    """Both of Debian's Chromiums, by apt where that is allowed. A test that needs one fails without."""
    with open(Path(tempfile.gettempdir()) / "agentrun-tests-chromium.lock", "w", encoding="utf-8") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if all(Path("/usr/lib/chromium", name).exists() for name in PACKAGES):
            return
        if os.geteuid() == 0 and shutil.which("apt-get"):
            install = "apt-get update -qq && apt-get install -y -qq --no-install-recommends " + " ".join(
                PACKAGES
            )
            subprocess.run(["sh", "-c", install], capture_output=True)
    lacks = program.missing()
    if lacks is not None:
        pytest.fail(lacks, pytrace=False)


@pytest.fixture
def box() -> Iterator[SyncSandbox]:
    with create(template="aio", warm=0, idle_timeout_s=120) as made:
        serve(made)
        yield made


def serve(box: SyncSandbox) -> None:
    """Serve the site in the sandbox, at http://127.0.0.1:8000/."""
    for page in SITE.iterdir():
        box.files.upload(page, f"site/{page.name}")
    box.processes.start("exec python3 -m http.server 8000 --bind 127.0.0.1 --directory site >/dev/null 2>&1")
    assert box.processes.run(READY).exit_code == 0
