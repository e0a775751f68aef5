"""Package: the files of an agent, named by what is in them."""

from __future__ import annotations

import os
import zipfile
from collections.abc import Iterable, Iterator
from fnmatch import fnmatch
from hashlib import sha256
from pathlib import Path, PurePosixPath

import msgspec

from agentrun.errors import ConfigError, RequestError, TooLarge

LARGEST = 512 * 1024 * 1024
_IGNORE_FILES = (".arignore", ".fcignore")
# never part of a package: secrets of a developer's, what is built again, what another tool keeps
_NEVER = (
    ".env", ".env.local", ".env.*.local", ".git", ".hg", ".svn", ".s", ".venv", "venv", "node_modules", "__pycache__",
    "*.pyc", ".DS_Store", ".idea", ".vscode", ".pytest_cache", ".ruff_cache", ".mypy_cache",
)  # fmt: skip


class File(msgspec.Struct, frozen=True, array_like=True):
    """One file: its path with forward slashes, whether it may be run, what is in it."""

    path: str
    executable: bool
    data: bytes


class Package(msgspec.Struct, frozen=True):
    """Files in the order of their paths."""

    digest: str
    files: tuple[File, ...]

    def encode(self) -> bytes:
        """As it travels."""
        return msgspec.msgpack.encode(self.files)

    @classmethod
    def decode(cls, data: bytes) -> Package:
        """What travelled; refused unless every path stays inside."""
        try:
            files = msgspec.msgpack.decode(data, type=tuple[File, ...])
        except (msgspec.DecodeError, msgspec.ValidationError) as error:
            raise RequestError(f"That is no package: {error}.") from None
        for file in files:
            parts = PurePosixPath(file.path).parts
            if (
                not parts
                or file.path.startswith("/")
                or ".." in parts
                or "\0" in file.path
                or "\\" in file.path
            ):
                raise RequestError(f"A package may not hold {file.path!r}.")
        return of(files)


def of(files: Iterable[File]) -> Package:
    """The package of these files."""
    ordered = tuple(sorted(files, key=lambda file: file.path))
    digest = sha256()
    for file in ordered:
        digest.update(f"{len(file.path.encode())} {int(file.executable)} {len(file.data)}\n".encode())
        digest.update(file.path.encode())
        digest.update(file.data)
    return Package(digest.hexdigest()[:40], ordered)


def pack(source: Path) -> Package:
    """The package of a folder, a zip or a jar. `.arignore` and `.fcignore` say what stays out."""
    if source.is_dir():
        files = list(_of_folder(source))
    elif source.suffix == ".zip" and zipfile.is_zipfile(source):
        files = list(_of_zip(source))
    elif source.is_file():
        files = [File(source.name, executable=False, data=source.read_bytes())]
    else:
        raise ConfigError(f"There is no {source}.", hint="code.src is a folder, zip or jar, from s.yaml.")
    if not files:
        raise ConfigError(f"{source} holds no files.", hint="Is code.src the right folder?")
    return of(files)


def _of_folder(source: Path) -> Iterator[File]:
    ignored = [*_NEVER, *_patterns(source)]
    root, left = source.resolve(), LARGEST
    for folder, names, files in os.walk(source):
        here = Path(folder).relative_to(source)
        names[:] = sorted(name for name in names if not _ignored((here / name).as_posix(), ignored))
        for name in sorted(files):
            path, shown = Path(folder) / name, (here / name).as_posix()
            if _ignored(shown, ignored) or not path.is_file():
                continue
            if path.is_symlink() and not path.resolve().is_relative_to(root):
                raise ConfigError(f"{path} links to a file outside of {source}.", hint="Copy the file there.")
            left -= path.stat().st_size
            _refuse_large(source, left)
            yield File(shown, os.access(path, os.X_OK), path.read_bytes())


def _of_zip(source: Path) -> Iterator[File]:
    left = LARGEST
    with zipfile.ZipFile(source) as archive:
        for entry in archive.infolist():
            left -= entry.file_size
            _refuse_large(source, left)
            if not entry.is_dir():
                yield File(entry.filename, bool(entry.external_attr >> 16 & 0o111), archive.read(entry))


def _refuse_large(source: Path, left: int) -> None:
    if left < 0:
        raise TooLarge(
            f"{source} holds more than {LARGEST // 1024 // 1024} MB.",
            hint="Leave out what the program does not need with an .arignore file.",
        )


def _patterns(source: Path) -> list[str]:
    found: list[str] = []
    for name in _IGNORE_FILES:
        file = source / name
        if file.is_file():
            lines = (line.strip() for line in file.read_text("utf-8").splitlines())
            found += [line.rstrip("/") for line in lines if line and not line.startswith("#")]
    return found


def _ignored(path: str, patterns: Iterable[str]) -> bool:
    """A pattern with a slash is of the whole path; one without, of any part's name."""
    name = path.rpartition("/")[2]
    return any(
        fnmatch(path, pattern.removeprefix("/")) if "/" in pattern else fnmatch(name, pattern)
        for pattern in patterns
    )
