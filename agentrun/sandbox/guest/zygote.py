"""The warm parent: has loaded what its sandboxes need, and forks one whenever it is asked. It never runs anybody's code itself."""

from __future__ import annotations

import gc
import importlib
import os
import signal
import socket
import sys
from importlib import machinery

from . import confine, seccomp, serve
from .hints import Any
from .wire import Closed, Wire


def main(number: int, packages: list[str], preload: list[str], flat: bool) -> None:
    """Serve on this descriptor until it closes; then this namespace ends, and all in it.

    `flat`: become the one sandbox that is asked for, where no namespaces can be made inside of namespaces.
    """
    confine.end_with_parent()
    confine.name_process("zygote")
    wire = Wire(socket.socket(fileno=number))
    sys.path[:] = [*_standard_library(), *packages, _own_packages()]
    _expect(_own_packages())
    seccomp.prepared(False)
    signal.signal(signal.SIGCHLD, _reap)
    try:
        for name in preload:
            importlib.import_module(name)
    except Exception as error:
        wire.send({"event": "failed", "what": f"{type(error).__name__}: {error}"})
        return
    if len(os.listdir("/proc/self/task")) > 1:
        wire.send({"event": "failed", "what": "a preloaded module has started a thread"})
        return
    if preload:
        gc.collect()
    gc.freeze()
    wire.send({"event": "ready"})
    try:
        while True:
            wanted = wire.receive()
            (descriptor,) = wire.descriptors(1)
            if flat:
                _be_first(socket.socket(fileno=descriptor), wanted, furnished=True)
                return
            _spawn(descriptor, wanted)
    except Closed:
        return


def _standard_library() -> list[str]:
    return [path for path in sys.path if path and "site-packages" not in path]


def _own_packages() -> str:
    """Where `pip install --user` puts packages."""
    version = f"python{sys.version_info[0]}.{sys.version_info[1]}"
    return f"{confine.HOME}/.local/lib/{version}/site-packages"


def _expect(folder: str) -> None:
    """Let imports find what comes into a folder that is not there yet; else it would be passed over for good."""
    kinds = (
        (machinery.ExtensionFileLoader, machinery.EXTENSION_SUFFIXES),
        (machinery.SourceFileLoader, machinery.SOURCE_SUFFIXES),
        (machinery.SourcelessFileLoader, machinery.BYTECODE_SUFFIXES),
    )
    sys.path_importer_cache[folder] = machinery.FileFinder(folder, *kinds)


def _spawn(descriptor: int, wanted: dict[str, Any]) -> None:
    try:
        pid = confine.clone()
    except OSError as error:
        with socket.socket(fileno=descriptor) as end:
            Wire(end).send({"event": "failed", "what": f"clone: {error.strerror}", "refused": True})
        return
    if pid:
        os.close(descriptor)
        return
    try:
        _be_first(socket.socket(fileno=descriptor), wanted)
    finally:
        os._exit(1)


def _be_first(end: socket.socket, wanted: dict[str, Any], furnished: bool = False) -> None:
    """The life of a sandbox's first process."""
    _close_all_but(end.fileno())
    wire = Wire(end)
    descriptors: list[int] = []
    try:
        if not furnished:
            confine.furnish(wanted["limits"])
        if wanted["listen"]:
            descriptors.append(_listener())
        joined = _join(wire, wanted["groups"])
        holds = confine.lock(wanted["limits"], wanted["writable"])
    except OSError as error:
        wire.send({"event": "failed", "what": str(error), "refused": isinstance(error, PermissionError)})
        return
    wire.send({"event": "ready", "joined": joined, **holds}, descriptors)
    for descriptor in descriptors:
        os.close(descriptor)
    serve.run(end, confine.HOME, wanted["limits"], alone=True)


def _join(wire: Wire, groups: int) -> bool:
    """Go into the control groups whose files come now; to have it done by others makes them wait for every processor."""
    if not groups:
        return True
    wire.receive()
    files = wire.descriptors(groups)
    try:
        for file in files:
            os.write(file, b"0")
    except OSError:
        return False
    finally:
        for file in files:
            os.close(file)
    return True


def _listener() -> int:
    """Where programs find the proxy. It is given away before anybody's code runs, and not kept."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM | socket.SOCK_CLOEXEC) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", 3128))
        listener.listen(64)
        return listener.detach()


def _close_all_but(kept: int) -> None:
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    os.closerange(3, kept)
    os.closerange(kept + 1, os.sysconf("SC_OPEN_MAX"))


def _reap(*_: Any) -> None:
    while True:
        try:
            if os.waitpid(-1, os.WNOHANG)[0] == 0:
                return
        except ChildProcessError:
            return
