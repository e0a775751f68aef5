"""The warm parent: has loaded what its sandboxes need, and forks one whenever it is asked. It never runs anybody's code itself."""

from __future__ import annotations

import gc
import os
import sys

from . import confine, serve
from .hints import Any
from .slim import machinery, signal, socket
from .wire import Closed, Wire


def main(number: int) -> None:
    """Serve on this descriptor until it closes; then this namespace ends, and all in it.

    The first that is said on it: which `packages` there are, what to `preload`, the system call `filter`; and whether to
    become the one sandbox that is asked for (`flat`), where no namespaces can be made inside of namespaces.
    """
    confine.end_with_parent()
    confine.name_process("zygote")
    wire = Wire(socket.socket(fileno=number))
    start = wire.receive()
    filter = bytes.fromhex(start["filter"])
    sys.path += [*start["packages"], _own_packages()]
    _expect(_own_packages())
    signal.signal(signal.SIGCHLD, _reap)
    try:
        for name in start["preload"]:
            __import__(name)
    except Exception as error:
        wire.send({"event": "failed", "what": f"{type(error).__name__}: {error}"})
        return
    if len(os.listdir("/proc/self/task")) > 1:
        wire.send({"event": "failed", "what": "a preloaded module has started a thread"})
        return
    if start["preload"]:
        gc.collect()
    gc.freeze()
    wire.send({"event": "ready"})
    try:
        while True:
            wanted = wire.receive()
            (descriptor,) = wire.descriptors(1)
            if start["flat"]:
                _be_first(socket.socket(fileno=descriptor), wanted, filter, furnished=True)
                return
            _spawn(descriptor, wanted, filter)
    except Closed:
        return


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


def _spawn(descriptor: int, wanted: dict[str, Any], filter: bytes) -> None:
    try:
        pid = confine.clone()
    except OSError as error:
        end = socket.socket(fileno=descriptor)
        Wire(end).send({"event": "failed", "what": f"clone: {error.strerror}", "refused": True})
        end.close()
        return
    if pid:
        os.close(descriptor)
        return
    try:
        _be_first(socket.socket(fileno=descriptor), wanted, filter)
    finally:
        os._exit(1)


def _be_first(end: socket.socket, wanted: dict[str, Any], filter: bytes, furnished: bool = False) -> None:
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
        holds = confine.lock(wanted["limits"], wanted["writable"], filter)
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
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
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
