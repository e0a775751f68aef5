"""Disk: what has to be there after the power was cut."""

from __future__ import annotations

import os
from pathlib import Path


def settle(place: Path) -> None:
    """Return when the contents of a file, or the names in a folder, are on the disk."""
    descriptor = os.open(place, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def settle_tree(folder: Path) -> None:
    """All that is in a folder, and its own name."""
    for place in (*folder.rglob("*"), folder, folder.parent):
        if not place.is_symlink():
            settle(place)
