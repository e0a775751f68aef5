"""Whether this machine can have sandboxes at all, tried without any of our code: the one reason to leave their tests out."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

import pytest

from agentrun.errors import SandboxUnavailable

UNSHARE = (
    "unshare",
    "--user",
    "--map-root-user",
    *"--pid --fork --mount-proc --net --ipc --uts".split(),
    "true",
)


@contextmanager
def unless_impossible(backend: str = "bubblewrap") -> Iterator[None]:
    """A sandbox that cannot be had is the test's failure, but where nobody could have one."""
    try:
        yield
    except SandboxUnavailable:
        if (why := impossible(backend)) is not None:
            pytest.skip(why)
        raise


@cache
def impossible(backend: str = "bubblewrap", user: int | None = None) -> str | None:
    """Why this machine cannot have one, whatever we do; None if it can. `user` is whose it would be, if not ours."""
    if backend == "gvisor":
        return None if shutil.which("runsc") else "runsc is not installed; apt-get install runsc brings it."
    if backend != "bubblewrap":
        return None
    done = subprocess.run(UNSHARE, capture_output=True, text=True, user=user)
    return None if done.returncode == 0 else f"This machine gives nobody namespaces: {done.stderr.strip()}"
