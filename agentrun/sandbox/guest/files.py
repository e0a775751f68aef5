"""Files, as the sandbox itself sees them: whatever a name or a link says, it leads to nothing but its own."""

from __future__ import annotations

import errno
import os
import stat

from .hints import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import tarfile

_KINDS = {stat.S_IFREG: "file", stat.S_IFDIR: "dir", stat.S_IFLNK: "link"}
_LONGEST_NAME = 4096
_MOST_HELD = 1 << 20


class Refused(Exception):
    """Cannot be done, for a reason that has a name."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


def located(path: Any, home: str) -> str:
    """An absolute path without . and .., from what the caller said."""
    if not isinstance(path, str) or not path or "\0" in path:
        raise Refused("invalid", f"{path!r} is no path.")
    raw = os.fsencode(path) if path.isascii() else path.encode("utf-8", "surrogateescape")
    if len(raw) >= _LONGEST_NAME or any(len(part) > 255 for part in raw.split(b"/")):
        raise Refused("invalid", "The path is too long.")
    return os.path.normpath(os.path.join(home, path))


def info(path: str) -> dict[str, Any]:
    found = os.lstat(path)
    kind = _KINDS.get(stat.S_IFMT(found.st_mode), "other")
    return {
        "path": shown(path),
        "type": kind,
        "size": found.st_size,
        "mode": stat.S_IMODE(found.st_mode),
        "modified_s": found.st_mtime,
        "target": shown(os.readlink(path)) if kind == "link" else None,
    }


def shown(path: str) -> str:
    """The path as text that is valid everywhere."""
    return os.fsencode(path).decode("utf-8", "backslashreplace")


def listed(path: str, depth: int, limit: int) -> list[dict[str, Any]]:
    """What is in a folder, those in a folder of it after it."""
    entries: list[dict[str, Any]] = []
    for name in sorted(os.listdir(path)):
        if len(entries) >= limit:
            break
        inner = os.path.join(path, name)
        try:
            entries.append(info(inner))
            if depth > 1 and entries[-1]["type"] == "dir":
                entries += listed(inner, depth - 1, limit - len(entries))
        except OSError:  # gone meanwhile, or not to be looked at
            continue
    return entries


def make_dir(path: str) -> dict[str, Any]:
    os.makedirs(path, exist_ok=True)
    return info(path)


def move(source: str, target: str) -> dict[str, Any]:
    os.makedirs(os.path.dirname(target), exist_ok=True)
    try:
        os.rename(source, target)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        import shutil

        shutil.move(source, target)
    return info(target)


def remove(path: str, home: str) -> None:
    if path in ("/", home):
        raise Refused("invalid", f"{path} cannot be removed.")
    if os.path.isdir(path) and not os.path.islink(path):
        import shutil  # like tarfile, left out of the memory of sandboxes that do not need it

        shutil.rmtree(path)
    else:
        os.unlink(path)


def open_to_read(path: str) -> tuple[int, int]:
    """A regular file and its size. Nothing else is opened: a pipe or a device might never answer."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY)
    found = os.fstat(descriptor)
    if not stat.S_ISREG(found.st_mode):
        os.close(descriptor)
        if stat.S_ISDIR(found.st_mode):
            raise Refused("is_directory", f"{shown(path)} is a folder.")
        raise Refused("not_a_file", f"{shown(path)} is no regular file.")
    return (descriptor, found.st_size) if found.st_size else _held(descriptor)


def _held(descriptor: int) -> tuple[int, int]:
    """A copy of what can be read. The kernel's own files, as in /proc, say that they are empty and are not."""
    copy, size = os.memfd_create("copy", os.MFD_CLOEXEC), 0
    try:
        while size < _MOST_HELD and (piece := os.read(descriptor, 1 << 16)):
            size += os.write(copy, piece)
    except BlockingIOError:  # one that waits for news
        pass
    except BaseException:
        os.close(copy)
        raise
    finally:
        os.close(descriptor)
    os.lseek(copy, 0, os.SEEK_SET)
    return copy, size


class Incoming:
    """A file that is being written beside its place, and moved there when it is whole."""

    def __init__(self, path: str, mode: int) -> None:
        if os.path.isdir(path):
            raise Refused("is_directory", f"{shown(path)} is a folder.")
        self._path = os.path.realpath(path)
        folder = os.path.dirname(self._path)
        os.makedirs(folder, exist_ok=True)
        self._part = os.path.join(folder, f".{os.urandom(8).hex()}.part")
        self.descriptor = os.open(
            self._part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode & 0o777
        )
        self.size: int | None = None
        self.error: OSError | None = None

    def done(self, size: int, error: OSError | None) -> None:
        self.size, self.error = size, error
        os.close(self.descriptor)

    def keep(self, size: int) -> dict[str, Any]:
        """Put it in its place, if all of it came."""
        if self.error is not None or self.size != size:
            self.drop()
            raise self.error or Refused("incomplete", "The file did not come whole.")
        os.replace(self._part, self._path)
        return info(self._path)

    def drop(self) -> None:
        try:
            os.unlink(self._part)
        except FileNotFoundError:
            pass


def pack(folder: str, target: int) -> None:
    """The folder as a tar, without what is no file, folder or link."""
    import tarfile

    with open(target, "wb", closefd=False) as file, tarfile.open(fileobj=file, mode="w|") as archive:
        for name in sorted(os.listdir(folder)):
            archive.add(os.path.join(folder, name), name, filter=_plain)


def unpack(source: int, folder: str) -> None:
    """A tar into the folder; an entry that would leave it, or is a device, ends it."""
    import tarfile

    with open(source, "rb", closefd=False) as file, tarfile.open(fileobj=file, mode="r|") as archive:
        if not hasattr(tarfile, "data_filter"):
            raise Refused("unsupported", "The sandbox's Python is too old to unpack archives safely.")
        archive.extractall(folder, filter="data")


def _plain(entry: tarfile.TarInfo) -> tarfile.TarInfo | None:
    return entry if entry.isfile() or entry.isdir() or entry.issym() or entry.islnk() else None
