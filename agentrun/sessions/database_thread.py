"""DatabaseThread: all work on a database in one thread; what waits there together is one transaction."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import Future
from queue import Empty, SimpleQueue
from typing import Any, TypeVar

from agentrun.errors import Unavailable
from agentrun.sessions.database import ConnectionLost, Database

T = TypeVar("T")
_MOST_TOGETHER = 256


class _Job:
    __slots__ = ("done", "work", "writes")

    def __init__(self, work: Callable[[Database], Any], writes: bool) -> None:
        self.work = work
        self.writes = writes
        self.done: Future[Any] = Future()


class DatabaseThread:
    """Opens the database with the first job, and again after its connection was lost."""

    def __init__(self, name: str, open_database: Callable[[], Database]) -> None:
        self._name = name
        self._open = open_database
        self._jobs: SimpleQueue[_Job | None] = SimpleQueue()
        self._thread: threading.Thread | None = None
        self._starting = threading.Lock()
        self._database: Database | None = None

    def do(self, work: Callable[[Database], T], *, writes: bool = False) -> asyncio.Future[T]:
        """Have it done after all that was asked for before. Any loop may ask."""
        job = _Job(work, writes)
        with self._starting:
            self._jobs.put(job)
            if self._thread is None:
                self._thread = threading.Thread(target=self._serve, name=self._name, daemon=True)
                self._thread.start()
        return asyncio.wrap_future(job.done)

    async def close(self) -> None:
        """Do what was asked for, and give the database back."""
        with self._starting:
            thread, self._thread = self._thread, None
            if thread is not None:
                self._jobs.put(None)
        if thread is not None:
            await asyncio.to_thread(thread.join)

    def _serve(self) -> None:
        goes_on = True
        while goes_on:
            jobs = self._waiting()
            goes_on = jobs[-1] is not None
            self._do_all([job for job in jobs if job is not None and job.done.set_running_or_notify_cancel()])
        if self._database is not None:
            self._database.close()
            self._database = None

    def _waiting(self) -> list[_Job | None]:
        jobs = [self._jobs.get()]
        while jobs[-1] is not None and len(jobs) < _MOST_TOGETHER:
            try:
                jobs.append(self._jobs.get_nowait())
            except Empty:
                break
        return jobs

    def _do_all(self, jobs: list[_Job]) -> None:
        """Together; if one of them cannot be done, each alone."""
        if not jobs:
            return
        try:
            results = self._transact(jobs)
        except Exception as error:
            if len(jobs) == 1:
                jobs[0].done.set_exception(error)
            else:
                for job in jobs:
                    self._do_all([job])
            return
        for job, result in zip(jobs, results, strict=True):
            job.done.set_result(result)

    def _transact(self, jobs: list[_Job]) -> list[Any]:
        if self._database is None:
            self._database = self._open()
        database = self._database
        try:
            database.begin(writes=any(job.writes for job in jobs))
            try:
                results = [job.work(database) for job in jobs]
                database.commit()
            except BaseException:
                database.rollback()
                raise
        except ConnectionLost:
            self._database = None
            database.close()
            raise Unavailable("The connection to the database was lost.", code="no_database") from None
        return results
