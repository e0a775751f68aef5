"""The program that `agentrun dev` runs as its child: imports ahead of time what an app needs, then becomes that app.

A child waits like this, beside the one that serves, so that a restart costs only the app's own code. It
ends with its parent, however that ends.
"""

from __future__ import annotations

import ast
import os
import signal
import socket
import sys
import threading
import time
import traceback
from collections.abc import Iterator
from contextlib import suppress
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType

# for requests on connections that were accepted just now: once begun, they are finished
_TO_BEGIN_S = 0.03


def main(path: str, line: socket.socket, listener: int) -> None:
    """Wait for a byte on `line`, then run the program at `path` as if Python had been started with it.

    The program serves on the file descriptor `listener`, and ends when `line` does.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a Ctrl-C before that is for the parent
    with suppress(Exception):  # whatever is wrong with the app shows when it runs
        _import_ahead(Path(path))
    if not _told_to_go(line):
        return
    threading.Thread(target=_end_with, args=(line, listener), name="parent", daemon=True).start()
    signal.signal(signal.SIGINT, signal.default_int_handler)
    sys.exit(_become(path))


def _told_to_go(line: socket.socket) -> bool:
    try:
        line.send(b"!")
        return bool(line.recv(1))
    except OSError:  # a reset, when the parent was killed
        return False


def _import_ahead(app: Path) -> None:
    for name in _imported(ast.parse(app.read_bytes())):
        if not _is_part_of(app.parent.resolve(), name):
            with suppress(Exception):
                import_module(name)


def _imported(tree: ast.Module) -> Iterator[str]:
    for node in tree.body:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module


def _is_part_of(folder: Path, name: str) -> bool:
    """Whether a module is the project's own, and so has to be read afresh at each start."""
    spec = find_spec(name.partition(".")[0])
    places = [*(spec.submodule_search_locations or ()), spec.origin or ""] if spec else []
    own = [place for place in places if Path(place).resolve().is_relative_to(folder)]
    return any("site-packages" not in place for place in own)


def _end_with(line: socket.socket, listener: int) -> None:
    with suppress(OSError):  # a reset, when the parent was killed
        line.recv(1)
    with suppress(OSError):
        _stop_accepting(listener)
    time.sleep(_TO_BEGIN_S)
    os.kill(os.getpid(), signal.SIGTERM)


def _stop_accepting(listener: int) -> None:
    """Leave who comes now to the next child: a server told to end would still take them in, to send them away."""
    with socket.create_server(("127.0.0.1", 0)) as nobody_s:
        nobody_s.setblocking(False)
        os.dup2(nobody_s.fileno(), listener)


def _become(path: str) -> int:
    program = ModuleType("__main__")
    program.__file__ = path
    sys.modules["__main__"] = program
    sys.argv[:] = [path]
    try:
        exec(compile(Path(path).read_bytes(), path, "exec"), program.__dict__)
    except Exception as error:
        # as Python shows it, without this file's own line
        trace = error.__traceback__
        traceback.print_exception(type(error), error, trace.tb_next if trace else None)
        return 1
    return 0


if __name__ == "__main__":
    main(sys.argv[1], socket.socket(fileno=int(sys.argv[2])), int(sys.argv[3]))
