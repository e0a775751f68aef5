"""Packages: unpacked, under their digests, and never changed again."""

from __future__ import annotations

import os
import shutil
import tempfile
from compileall import compile_dir
from pathlib import Path

from agentrun.errors import NotFound, RequestError
from agentrun.platform.builds.package import File, Package, of
from agentrun.platform.disk import settle, settle_tree

_DIGEST = 40


class Packages:
    """A folder of packages."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        for left in folder.glob(".new-*"):  # of a process that ended in the middle
            shutil.rmtree(left, ignore_errors=True)

    def has(self, digest: str) -> bool:
        return self._at(digest).is_dir()

    def path(self, digest: str) -> Path:
        """The folder of a package's files."""
        if not self.has(digest):
            raise NotFound(f"There is no package {digest}.", hint="Deploy the code again.")
        return self._at(digest)

    def put(self, package: Package, digest: str) -> None:
        """Keep a package that is what its name says; all of it is on the disk when this returns."""
        if package.digest != digest:
            raise RequestError(f"The package is not {digest}: something was lost on the way.")
        if self.has(digest):
            return
        new = Path(tempfile.mkdtemp(prefix=".new-", dir=self._folder))
        try:
            for file in package.files:
                _write(new / file.path, file)
            settle_tree(new)
            # under the name that tracebacks will show; what does not compile, or is lost again, is compiled when it runs
            compile_dir(new, quiet=2, stripdir=str(new), prependdir=str(self._at(digest)))
            os.replace(new, self._at(digest))
            settle(self._folder)
        except BaseException:
            shutil.rmtree(new, ignore_errors=True)
            if not self.has(digest):  # another may have put the same one there meanwhile
                raise

    def get(self, digest: str) -> Package:
        """A package as it came."""
        root = self.path(digest)
        return of(
            File(path.relative_to(root).as_posix(), os.access(path, os.X_OK), path.read_bytes())
            for path in root.rglob("*")
            if path.is_file() and not {"__pycache__", "node_modules"} & set(path.parts)
        )

    def _at(self, digest: str) -> Path:
        if len(digest) != _DIGEST or not digest.isalnum():
            raise RequestError(f"{digest!r} is no digest of a package.")
        return self._folder / digest


def _write(path: Path, file: File) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(file.data)
    path.chmod(0o755 if file.executable else 0o644)
