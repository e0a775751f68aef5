"""A Docker daemon of the tests' own, with one image: the programs of this machine that a sandbox's tests call."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import time
from collections.abc import Iterator
from pathlib import Path

import node_programs

_PROGRAMS = (
    "bash cat cp dd echo env false head id kill ls mkdir mount mv ping ps rm setsid sh sleep stat stty tail tee "
    "test touch true umount uname unshare wc"
)
_START_S = 60


def why_not() -> str | None:
    """What is missing for a daemon here, and how to get it."""
    if os.geteuid() != 0:
        return "Only root can start a Docker daemon."
    missing = [name for name in ("docker", "dockerd", "containerd", "runc") if _found(name) is None]
    if missing:
        return f"There is no {', '.join(missing)} here. Debian, Ubuntu: apt-get install docker.io."
    return None


class Docker:
    """`variables` lead the program docker to it; `image` is all that it has."""

    image = "agentrun-tests"

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.variables = {"DOCKER_HOST": f"unix://{folder}/socket", "DOCKER_CONFIG": str(folder)}
        program = _found("dockerd")
        assert program is not None
        words = [program, "--data-root", f"{folder}/data", "--exec-root", f"{folder}/exec"]
        words += ["--host", self.variables["DOCKER_HOST"], "--pidfile", f"{folder}/pid"]
        words += ["--iptables=false", "--ip6tables=false", "--bridge=none"]
        with (folder / "log").open("wb") as log:
            self._daemon = subprocess.Popen(words, stdout=log, stderr=log)

    def ask(self, *words: str) -> str:
        """What the program docker prints."""
        ran = subprocess.run(
            ["docker", *words], capture_output=True, text=True, env=os.environ | self.variables, check=False
        )
        assert ran.returncode == 0, f"docker {' '.join(words)}: {ran.stderr}"
        return ran.stdout

    def await_start(self) -> None:
        end = time.monotonic() + _START_S
        while not (self.folder / "socket").exists():
            said = (self.folder / "log").read_text("utf-8", "replace")[-2000:]
            assert self._daemon.poll() is None and time.monotonic() < end, said
            time.sleep(0.05)  # the start of another's program has no event to wait for
        self.ask("version")

    def close(self) -> None:
        self._daemon.terminate()
        self._daemon.wait(60)


def start(folder: Path) -> Iterator[Docker]:
    """A daemon with the image, until the generator ends."""
    docker = Docker(folder)
    try:
        docker.await_start()
        archive = folder / "image.tar"
        _pack(archive)
        docker.ask("import", str(archive), docker.image)
        archive.unlink()
        yield docker
    finally:
        docker.close()


def _pack(archive: Path) -> None:
    """An image of this machine's Python, of Node.js and of _PROGRAMS, each with its libraries, in /usr/bin."""
    python = os.path.realpath(sys.executable)
    library = Path(sysconfig.get_path("stdlib"))
    native = [str(path) for path in (library / "lib-dynload").glob("*.so")]
    programs = {f"/usr/bin/{name}": path for name in _PROGRAMS.split() if (path := _found(name)) is not None}
    programs |= {"/usr/bin/python3": python, "/usr/bin/node": node_programs.binary()}
    with tarfile.open(archive, "w", dereference=True) as image:
        for name in ("proc", "sys", "dev", "tmp", "etc", "home", "home/user", "usr", "usr/bin", "usr/lib"):
            _add_folder(image, name)
        _add_link(image, "bin", "usr/bin")
        for target, source in programs.items():
            image.add(source, target.lstrip("/"))
        for path in sorted(_libraries([*programs.values(), *native])):
            image.add(path, path.lstrip("/"))
        _add_tree(image, library, f"usr/lib/{library.name}")


def _add_tree(image: tarfile.TarFile, folder: Path, name: str) -> None:
    """Without what was installed into it, and what nobody calls there."""
    left_out = {"site-packages", "test", "idlelib", "__pycache__", "tkinter", "ensurepip", "lib2to3"}

    def wanted(member: tarfile.TarInfo) -> tarfile.TarInfo | None:
        is_left_out = left_out & set(Path(member.name).parts) or Path(member.name).name.startswith("config-")
        return None if is_left_out else member

    image.add(folder, name, filter=wanted)


def _add_folder(image: tarfile.TarFile, name: str) -> None:
    member = tarfile.TarInfo(name)
    member.type, member.mode = tarfile.DIRTYPE, 0o755
    image.addfile(member)


def _add_link(image: tarfile.TarFile, name: str, target: str) -> None:
    member = tarfile.TarInfo(name)
    member.type, member.linkname = tarfile.SYMTYPE, target
    image.addfile(member)


def _libraries(programs: list[str]) -> set[str]:
    """The shared libraries of programs, by the paths at which their loader looks for them."""
    said = subprocess.run(["ldd", *programs], capture_output=True, text=True, check=False).stdout
    words = (word for line in said.splitlines() if not line.endswith(":") for word in line.split())
    return {word for word in words if word.startswith("/")}


def _found(program: str) -> str | None:
    return shutil.which(program, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/bin:/sbin:/bin")
