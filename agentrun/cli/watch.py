"""Watch: which of a project's files have changed. By looking at their times: no dependency, and right on every disk."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

_NAMES = (".env", "agentrun.yaml")
_SKIPPED = frozenset(("__pycache__", "node_modules", "venv", "site-packages"))

Stamps = dict[str, tuple[int, int]]


class Watch:
    """The Python files, `.env` and `agentrun.yaml` under a folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._seen = _stamps(folder)

    def changed(self) -> list[str]:
        """The files that changed, came or went since the last call, as paths from the folder."""
        before, self._seen = self._seen, _stamps(self._folder)
        changed = before.items() ^ self._seen.items()
        return sorted({os.path.relpath(path, self._folder) for path, _ in changed})


def _stamps(folder: Path) -> Stamps:
    stamps: Stamps = {}
    folders = [str(folder)]
    while folders:
        # what is gone between being listed and being looked at is simply not there
        with suppress(OSError), os.scandir(folders.pop()) as entries:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    if entry.name not in _SKIPPED and not entry.name.startswith("."):
                        folders.append(entry.path)
                elif entry.name.endswith(".py") or entry.name in _NAMES:
                    stat = entry.stat()
                    stamps[entry.path] = (stat.st_mtime_ns, stat.st_size)
    return stamps
