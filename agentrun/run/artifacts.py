"""Artifacts: what the tools of Runs have made, such as plots, kept for a while in memory so that it has a URL."""

from __future__ import annotations

import re
import threading
from collections import OrderedDict
from collections.abc import Collection

import msgspec

_MOST_BYTES = 128 << 20  # of all Runs together; the oldest make room for new ones
_LARGEST = 16 << 20
_URL = re.compile(r"/runs/([^/]+)/artifacts/([^/]+)")
_ODD = re.compile(r"[^\w.-]+")


class Artifact(msgspec.Struct, frozen=True):
    """A file by name. `url` is its path on the server that runs the agent."""

    name: str
    media_type: str
    data: bytes
    url: str


class Artifacts:
    """Of the Runs of one server process; any thread may use it."""

    def __init__(self, most_bytes: int = _MOST_BYTES) -> None:
        self._most_bytes = most_bytes
        self._bytes = 0
        self._kept: OrderedDict[tuple[str, str], Artifact] = OrderedDict()
        self._lock = threading.Lock()

    def add(self, run_id: str, name: str, media_type: str, data: bytes) -> Artifact | None:
        """Keep it, under its name or one like it that is free; None if it is too large."""
        if len(data) > min(_LARGEST, self._most_bytes):
            return None
        with self._lock:
            free = self._free(run_id, _ODD.sub("-", name).strip(".-") or "artifact")
            artifact = Artifact(free, media_type, data, f"/runs/{run_id}/artifacts/{free}")
            self._kept[run_id, free] = artifact
            self._bytes += len(data)
            while self._bytes > self._most_bytes:
                _, oldest = self._kept.popitem(last=False)
                self._bytes -= len(oldest.data)
        return artifact

    def get(self, run_id: str, name: str) -> Artifact | None:
        """The artifact of this name, if it is kept still."""
        with self._lock:
            return self._kept.get((run_id, name))

    def at(self, url: str, run_ids: Collection[str]) -> Artifact | None:
        """The artifact with this URL, if one of these Runs has made it."""
        names = _URL.fullmatch(url)
        return None if names is None or names[1] not in run_ids else self.get(names[1], names[2])

    def _free(self, run_id: str, name: str) -> str:
        stem, dot, ending = name.rpartition(".")
        tried, number = name, 1
        while (run_id, tried) in self._kept:
            number += 1
            tried = f"{stem}-{number}{dot}{ending}" if dot else f"{name}-{number}"
        return tried
