"""Answers: a Run's events, encoded: whole, as a stream while they come, or again.

An answer is called by its Run whenever there is more, and writes within that call: no task has to be woken for it.
"""

from __future__ import annotations

import asyncio
import logging
import time
from abc import ABC, abstractmethod
from collections.abc import Callable

from agentrun.errors import AgentRunError
from agentrun.events import AnyEvent, RunFailed
from agentrun.protocols import Encoder, Protocol, encode_all
from agentrun.run import Run
from agentrun.server.http import RawHeaders
from agentrun.server.pipe import Pipe

logger = logging.getLogger(__name__)
_SILENT_FRAMES = 4  # after so many heartbeats in a row one is a real chunk: some clients count only these
_JSON = (b"content-type", b"application/json")
STREAM = [(b"cache-control", b"no-cache"), (b"x-accel-buffering", b"no")]
_NONE: RawHeaders = []
_STATUS = {"timeout": 504, "server_shutdown": 503}


def first_headers(protocol: Protocol, request_id: str) -> RawHeaders:
    """What every answer of a wire has: the request's id, under the wire's own name for it as well, and what never changes."""
    own: bytes | None = getattr(protocol, "request_id_header", None)
    value = request_id.encode()
    headers = [(b"x-request-id", value), *protocol.headers]
    if own is not None:
        headers.append((own, value))
    return headers


def refuse(pipe: Pipe, protocol: Protocol, error: Exception, headers: RawHeaders, request_id: str) -> None:
    """Answer with an error, in the protocol's shape."""
    told = _told(error, request_id)
    told.request_id = request_id
    extra: dict[str, str] = getattr(told, "headers", {})
    headers = [*headers, *((name.encode(), value.encode()) for name, value in extra.items()), _JSON]
    pipe.answer(told.status, headers, protocol.error(told))


class _Answer(ABC):
    """One reader of a Run. While it reads, the Run goes on; when the client of the last one goes, the Run may end."""

    __slots__ = ("_encoder", "_grace_s", "_headers", "_left", "_pipe", "_protocol", "_run")

    def __init__(
        self,
        run: Run,
        protocol: Protocol,
        encoder: Encoder,
        pipe: Pipe,
        headers: RawHeaders,
        grace_s: float = 0.0,
    ) -> None:
        self._run = run
        self._protocol = protocol
        self._encoder = encoder
        self._pipe = pipe
        self._headers = headers
        self._grace_s = grace_s  # for which a client that has gone may be back
        self._left = False

    def begin(self) -> None:
        """Write what there is, and the rest when it comes."""
        run, pipe = self._run, self._pipe
        run.readers += 1
        if not run.ended:
            run.follow(self.advance)
            pipe.on_gone, pipe.on_room = self._gone, self.advance
            if pipe.disconnected:
                self._gone()
        self.advance()

    @abstractmethod
    def advance(self) -> None:
        """Write what has come since the last time."""

    def _fail(self, ending: RunFailed) -> None:
        """The agent had begun, so a client's retry would run it again: it is asked not to."""
        self._close()
        run = self._run
        headers = [*self._headers, (b"x-should-retry", b"false")]
        refuse(self._pipe, self._protocol, failure(run, ending), headers, run.request_id)

    def _close(self) -> None:
        self._run.unfollow(self.advance)
        self._pipe.on_gone = self._pipe.on_room = None
        self._leave()

    def _gone(self) -> None:
        if self._grace_s:  # a retry may be on its way
            asyncio.get_running_loop().call_later(self._grace_s, self._leave)
        else:
            self._close()

    def _leave(self) -> None:
        if not self._left:
            self._left = True
            self._run.leave()


class Whole(_Answer):
    """All of it, at the Run's end."""

    __slots__ = ()

    def advance(self) -> None:
        run = self._run
        if not run.ended:
            run.read_to()
            return
        if isinstance(run.ending, RunFailed):
            self._fail(run.ending)
            return
        try:
            body = self._encoder.fold(run.log.since(0))
        except Exception as error:
            self._fail(unwritable(run, error))
            return
        self._close()
        self._headers += (_JSON, _time_taken(run))
        self._pipe.answer(200, self._headers, body)


class Stream(_Answer):
    """Events as they come. Unless it is to begin `at_once`, the status is decided by the first thing that happens, a long
    silence included.
    """

    __slots__ = ("_at_once", "_index", "_silences", "_started")

    def begin(self, *, at_once: bool = False) -> None:
        self._index = self._silences = 0
        self._started = False
        self._at_once = at_once
        super().begin()

    def advance(self) -> None:
        run = self._run
        if self._left or not self._pipe.writable:
            return
        batch = run.log.since(self._index)
        if not self._started:
            if not (self._at_once or self._decided(batch)):
                return
        elif not batch:
            if run.ended:
                self._close()
                self._pipe.push(b"", end=True)
            elif run.silent():
                self._silences += 1
                silent_chunk = self._silences % _SILENT_FRAMES == 0
                self._pipe.push(self._encoder.heartbeat(silent_chunk=silent_chunk))
            return
        encoder = self._encoder
        failed: RunFailed | None = None
        try:
            body = encoder.encode(batch[0]) if len(batch) == 1 else encode_all(encoder, batch)
        except Exception as error:
            failed = unwritable(run, error)
            if not self._started:
                self._fail(failed)
                return
            body = encoder.encode(failed)
        if not self._started:
            self._start()
        self._index, self._silences = run.read_to(), 0
        over = failed is not None or run.ended
        if over:
            self._close()
        if body or over:
            self._pipe.push(body, end=over)

    def _decided(self, batch: list[AnyEvent]) -> bool:
        """Whether it is known what the status will be; an early failure is answered at once."""
        run = self._run
        if self._index + len(batch) == 1 and not run.silent():
            run.read_to()
            return False
        if len(run.log) == 2 and isinstance(run.ending, RunFailed):
            self._fail(run.ending)
            return False
        return True

    def _start(self) -> None:
        self._started = True
        self._grace_s = 0.0  # a client that has its status does not retry any more
        self._headers += (
            (b"content-type", self._protocol.media_type.encode()),
            _time_taken(self._run),
            *STREAM,
        )
        self._pipe.start(200, self._headers)
        self._headers = _NONE


class Replay:
    """The events after index `after`, and on as they come. Reading so neither keeps a Run going nor ends it."""

    def __init__(
        self,
        run: Run,
        frame: Callable[[int, AnyEvent], bytes],
        heartbeat: bytes,
        after: int,
        pipe: Pipe,
        headers: RawHeaders,
        media_type: str,
    ) -> None:
        self._run = run
        self._frame = frame
        self._heartbeat = heartbeat
        self._index = after + 1
        self._pipe = pipe
        self._headers: RawHeaders = [*headers, (b"content-type", media_type.encode()), *STREAM]

    def begin(self) -> None:
        """Write what there is, and the rest when it comes."""
        self._pipe.start(200, self._headers)
        self._pipe.on_gone, self._pipe.on_room = self._close, self._more
        if not self._run.ended:
            self._run.follow(self._changed)
        if not self._more():
            self._pipe.push(b"")  # the head

    def _changed(self) -> None:
        if not self._more() and self._pipe.writable:
            self._pipe.push(self._heartbeat)

    def _more(self) -> bool:
        """Whether there was something to write."""
        run = self._run
        if not self._pipe.writable:
            return False
        frames: list[bytes] = []
        over = run.ended
        try:
            frames.extend(self._frame(last, event) for last, event in run.log.numbered(self._index))
        except Exception as error:
            frames.append(self._frame(len(run.log), unwritable(run, error)))
            over = True
        self._index = max(self._index, len(run.log))
        if over:
            self._close()
        if frames or over:
            self._pipe.push(b"".join(frames), end=over)
        return bool(frames) or over

    def _close(self) -> None:
        self._run.unfollow(self._changed)
        self._pipe.on_gone = self._pipe.on_room = None


def unwritable(run: Run, error: Exception) -> RunFailed:
    """The Run's failure where the wire's encoder failed."""
    failed = RunFailed("internal_error", f"The answer could not be written: {type(error).__name__}.")
    logger.error("run %s: %s", run.id, failed.message, exc_info=error)
    run.cancel(failed)
    return failed


def failure(run: Run, ending: RunFailed) -> AgentRunError:
    """Why the Run failed, as an error with its HTTP status."""
    if run.error is not None:
        return run.error
    error = AgentRunError(ending.message, code=ending.code)
    error.status = _STATUS.get(ending.code, 500)
    return error


def _told(error: Exception, request_id: str) -> AgentRunError:
    """What the caller is told of an exception: all of our own errors, of others only the type."""
    if isinstance(error, AgentRunError):
        return error
    logger.error("request %s failed", request_id, exc_info=error)
    return AgentRunError(f"The server failed with {type(error).__name__}.", code="internal_error")


def _time_taken(run: Run) -> tuple[bytes, bytes]:
    return b"openai-processing-ms", b"%d" % ((time.time() - run.created) * 1000)
