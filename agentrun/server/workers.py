"""Workers: the same program several times over one socket; started again when one dies."""

from __future__ import annotations

import logging
import signal
import socket
import subprocess
import sys
import time

from agentrun.config import worker_environment
from agentrun.errors import ConfigError

logger = logging.getLogger("agentrun.workers")
_LOOK_S = 0.2
_TOO_SOON_S = 2.0  # a worker that lives shorter than this is not started again at once
_SLOW_DOWN_S = 1.0


def supervise(listener: socket.socket, count: int, patience_s: float) -> None:
    """Keep `count` workers going until a signal, then pass it on and wait for them."""
    if sys.platform == "win32" or not sys.orig_argv[1:]:
        raise ConfigError(
            "Several workers need a program that can be started again.", hint="Set workers to 1."
        )
    supervisor = _Supervisor(listener, patience_s)
    for sig in (signal.SIGINT, signal.SIGTERM):
        signal.signal(sig, lambda number, _: supervisor.end(number))
    supervisor.run(count)


class _Supervisor:
    def __init__(self, listener: socket.socket, patience_s: float) -> None:
        self._listener = listener
        self._patience_s = patience_s
        self._workers: dict[subprocess.Popen[bytes], float] = {}
        self._told: set[subprocess.Popen[bytes]] = set()
        self._deadline: float | None = None

    def run(self, count: int) -> None:
        for _ in range(count):
            self._start()
        while self._workers:
            time.sleep(_LOOK_S)
            self._look()

    def end(self, sig: int) -> None:
        """The first signal asks the workers to finish, a second one makes them."""
        if self._deadline is None:
            self._deadline = time.monotonic() + self._patience_s
        for worker in self._workers:
            self._tell(worker, signal.SIGTERM if sig == signal.SIGINT else sig)

    def _tell(self, worker: subprocess.Popen[bytes], sig: int) -> None:
        self._told.add(worker)
        worker.send_signal(sig)

    def _start(self) -> None:
        fd = self._listener.fileno()
        worker = subprocess.Popen(
            [sys.executable, *sys.orig_argv[1:]],
            pass_fds=(fd,),
            env=worker_environment(fd),
            start_new_session=True,  # Ctrl-C reaches the supervisor alone, which passes it on once
        )
        self._workers[worker] = time.monotonic()

    def _look(self) -> None:
        now = time.monotonic()
        for worker, started in list(self._workers.items()):
            if worker.poll() is None:
                if self._deadline is not None and now > self._deadline:
                    worker.kill()
                continue
            del self._workers[worker]
            if self._deadline is None:
                logger.warning("Worker %d ended with %d; starting another.", worker.pid, worker.returncode)
                if now - started < _TOO_SOON_S:
                    time.sleep(_SLOW_DOWN_S)
                self._start()
        if self._deadline is not None:
            for worker in self._workers.keys() - self._told:  # started while the signal came
                self._tell(worker, signal.SIGTERM)
