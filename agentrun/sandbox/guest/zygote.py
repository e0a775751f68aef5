"""The warm parent: has loaded what its sandboxes need, and forks one whenever it is asked. It never runs anybody's code itself."""

from __future__ import annotations

import gc
import importlib
import os
import signal
import socket
import sys
from typing import Any

from . import confine, serve
from .wire import Closed, Wire


def main(number: int, packages: list[str], preload: list[str], flat: bool) -> None:
    """Serve on this descriptor until it closes; then this namespace ends, and all in it.

    `flat`: become the one sandbox that is asked for, where no namespaces can be made inside of namespaces.
    """
    confine.end_with_parent()
    confine.name_process("zygote")
    wire = Wire(socket.socket(fileno=number))
    sys.path[:] = [*_standard_library(), *packages, *_own_packages()]
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
    gc.collect()
    gc.freeze()
    wire.send({"event": "ready"})
    try:
        while True:
            frame = wire.receive()
            if flat:
                end = socket.socket(fileno=wire.descriptors(1)[0])
                _be_first(end, frame["limits"], frame["writable"], frame["listen"], furnished=True)
                return
            _spawn(wire, frame["limits"], frame["writable"], frame["listen"])
    except Closed:
        return


def _standard_library() -> list[str]:
    return [path for path in sys.path if path and "site-packages" not in path]


def _own_packages() -> list[str]:
    """Where `pip install --user` puts packages."""
    version = f"python{sys.version_info[0]}.{sys.version_info[1]}"
    return [f"{confine.HOME}/.local/lib/{version}/site-packages"]


def _spawn(wire: Wire, limits: dict[str, Any], writable: list[str], listen: bool) -> None:
    (descriptor,) = wire.descriptors(1)
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
        _be_first(socket.socket(fileno=descriptor), limits, writable, listen)
    finally:
        os._exit(1)


def _be_first(
    end: socket.socket, limits: dict[str, Any], writable: list[str], listen: bool, furnished: bool = False
) -> None:
    """The life of a sandbox's first process."""
    _close_all_but(end.fileno())
    wire = Wire(end)
    descriptors: list[int] = []
    try:
        if not furnished:
            confine.furnish(limits)
        if listen:
            descriptors.append(_listener())
        os.makedirs(_own_packages()[0], exist_ok=True)
        holds = confine.lock(limits, writable)
    except OSError as error:
        wire.send({"event": "failed", "what": str(error), "refused": isinstance(error, PermissionError)})
        return
    importlib.invalidate_caches()
    wire.send({"event": "ready", **holds}, descriptors)
    for descriptor in descriptors:
        os.close(descriptor)
    serve.run(end, confine.HOME, limits, alone=True)


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
