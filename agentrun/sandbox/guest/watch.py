"""Watching folders, by inotify: each folder below as well, those made later too."""

from __future__ import annotations

import ctypes
import os
import struct

from . import files
from .libc import call, libc
from .turns import READ, Turns
from .wire import Wire

_EVENT = struct.Struct("=iIII")
_MOVED_FROM, _MOVED_TO, _CREATED, _DELETED = 0x40, 0x80, 0x100, 0x200
_IS_DIR, _CLOSE_WRITE = 0x40000000, 0x8
_WANTED = _CLOSE_WRITE | _MOVED_FROM | _MOVED_TO | _CREATED | _DELETED
_CHANGES = {
    _CREATED: "created",
    _CLOSE_WRITE: "modified",
    _DELETED: "removed",
    _MOVED_FROM: "renamed",
    _MOVED_TO: "created",
}
_MOST = 1000


class Watches:
    """What is watched, and for whom."""

    def __init__(self, turns: Turns, wire: Wire) -> None:
        self._turns = turns
        self._wire = wire
        self._folders: dict[int, dict[int, str]] = {}

    def add(self, path: str) -> int:
        """Watch a folder; changes are told with the number given here."""
        watcher = call(libc.inotify_init1, os.O_NONBLOCK | os.O_CLOEXEC)
        self._folders[watcher] = {}
        try:
            self._look_into(watcher, path)
        except OSError:
            os.close(watcher)
            del self._folders[watcher]
            raise
        self._turns.register(watcher, READ, lambda: self._tell(watcher))
        return watcher

    def remove(self, watcher: int) -> None:
        if self._folders.pop(watcher, None) is not None:
            self._turns.unregister(watcher)
            os.close(watcher)

    def _look_into(self, watcher: int, path: str) -> None:
        folders = self._folders[watcher]
        number = call(libc.inotify_add_watch, watcher, os.fsencode(path), ctypes.c_uint32(_WANTED))
        folders[number] = path
        for entry in os.scandir(path):
            if entry.is_dir(follow_symlinks=False) and len(folders) < _MOST:
                self._look_into(watcher, entry.path)

    def _tell(self, watcher: int) -> None:
        if watcher not in self._folders:
            return
        data = os.read(watcher, 1 << 16)
        changes: list[tuple[str, str]] = []
        while data:
            number, mask, _, length = _EVENT.unpack_from(data)
            name = data[_EVENT.size : _EVENT.size + length].rstrip(b"\0")
            data = data[_EVENT.size + length :]
            folder = self._folders[watcher].get(number)
            change = next((said for bit, said in _CHANGES.items() if mask & bit), None)
            if folder is None or change is None or name.endswith(b".part") and name.startswith(b"."):
                continue
            path = os.path.join(folder, os.fsdecode(name))
            changes.append((files.shown(path), change))
            if mask & _IS_DIR and mask & (_CREATED | _MOVED_TO):
                self._follow(watcher, path)
        self._wire.socket.setblocking(True)
        self._wire.send({"event": "changed", "watch": watcher, "changes": changes})
        self._wire.socket.setblocking(False)

    def _follow(self, watcher: int, path: str) -> None:
        try:
            self._look_into(watcher, path)
        except OSError:  # gone already
            return
