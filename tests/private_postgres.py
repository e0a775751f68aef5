"""A PostgreSQL server of the tests' own, on a Unix socket, where its programs are on this machine."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from patience import PATIENCE_S

_PLACES = ("/usr/bin", "/usr/local/bin", "/opt/homebrew/bin")


def programs() -> Path | None:
    """The folder of initdb and postgres."""
    installed = sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    for folder in (*installed, *map(Path, _PLACES)):
        if all((folder / name).is_file() for name in ("initdb", "postgres", "pg_ctl")):
            return folder
    return None


def why_not() -> str | None:
    """What is missing to run one here, if anything is."""
    if programs() is None:
        return "PostgreSQL's server is not installed: no initdb, postgres and pg_ctl"
    if os.geteuid() == 0 and (_user() is None or shutil.which("setpriv") is None):
        return "PostgreSQL does not run as root, and there is no other user (or no setpriv) to run it as"
    return None


@contextmanager
def server() -> Iterator[str]:
    """URL of the database `postgres` of a server that lives as long as the context."""
    bin_folder = programs()
    assert bin_folder is not None
    with tempfile.TemporaryDirectory(prefix="pg") as name:
        folder = Path(name)
        user = _user()
        if os.geteuid() == 0 and user is not None:
            os.chown(folder, user.pw_uid, user.pw_gid)
        data = str(folder / "data")
        _run(bin_folder / "initdb", "-D", data, "-U", "agentrun", "-A", "trust", "--no-sync", "-E", "UTF8")
        options = f"-k {folder} -c listen_addresses='' -c fsync=off"
        _run(
            bin_folder / "pg_ctl",
            "-D",
            data,
            "-w",
            "-t",
            str(PATIENCE_S),
            "-o",
            options,
            "-l",
            f"{folder}/log",
            "start",
        )
        try:
            yield f"postgresql://agentrun@/postgres?host={folder}"
        finally:
            _run(bin_folder / "pg_ctl", "-D", data, "-m", "immediate", "-w", "stop")


def _user() -> pwd.struct_passwd | None:
    """Whom root runs it as."""
    for name in ("postgres", "nobody"):
        try:
            return pwd.getpwnam(name)
        except KeyError:
            continue
    return None


def _run(program: Path, *arguments: str) -> None:
    command = [str(program), *arguments]
    user = _user()
    if os.geteuid() == 0 and user is not None:
        command = ["setpriv", f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--clear-groups", *command]
    done = subprocess.run(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        cwd="/",
        timeout=PATIENCE_S,
    )
    assert done.returncode == 0, done.stdout.decode()
