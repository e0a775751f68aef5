"""Answers: a Run's events, encoded, over HTTP: whole, or as a stream while they come."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from typing import Any
from typing import Protocol as Shape

from agentrun.errors import AgentRunError
from agentrun.events import AnyEvent, RunFailed
from agentrun.protocols import Encoder, Protocol
from agentrun.run import Run
from agentrun.server.http import RawHeaders, Receive, Send, answer

logger = logging.getLogger(__name__)
_SILENT_FRAMES = 4  # after so many heartbeats in a row one is a real chunk: some clients count only these
_JSON = (b"content-type", b"application/json")
_STREAM = [(b"cache-control", b"no-cache"), (b"x-accel-buffering", b"no")]
_STATUS = {"timeout": 504, "server_shutdown": 503}


async def refuse(send: Send, protocol: Protocol, error: AgentRunError, headers: RawHeaders) -> None:
    """Answer with an error, in the protocol's shape."""
    extra: dict[str, str] = getattr(error, "headers", {})
    headers += [(name.encode(), value.encode()) for name, value in extra.items()]
    headers.append(_JSON)
    await answer(send, error.status, headers, protocol.error(error))


async def whole(
    run: Run,
    protocol: Protocol,
    encoder: Encoder,
    receive: Receive,
    send: Send,
    headers: RawHeaders,
    grace_s: float,
) -> None:
    """Wait for the Run's end, then answer with all of it."""
    run.readers += 1
    watch = _Watch(run, receive, _pipe_of(send), grace_s)
    start = watch.start
    run.soon(start)  # most answers are there before
    try:
        while not run.ended:
            await run.changed()
    finally:
        run.never_mind(start)
        watch.stop()
    if isinstance(run.ending, RunFailed):
        await _fail(run, run.ending, protocol, send, headers)
        return
    try:
        body = encoder.fold(run.log.since(0))
    except Exception as error:
        await _fail(run, unwritable(run, error), protocol, send, headers)
        return
    headers += [_JSON, _time_taken(run)]
    await answer(send, 200, headers, body)


async def stream(
    run: Run,
    protocol: Protocol,
    encoder: Encoder,
    receive: Receive,
    send: Send,
    headers: RawHeaders,
    grace_s: float,
    *,
    at_once: bool = False,
) -> None:
    """Send events as they come. Unless it is to begin `at_once`, the status is decided by the first thing that happens,
    a long silence included.
    """
    run.readers += 1
    pipe = _pipe_of(send)
    watch = _Watch(run, receive, pipe, grace_s)
    watch.start()
    encode = encoder.encode
    started, silences, index = False, 0, 0
    try:
        while True:
            batch = run.log.since(index)
            if started and not batch:
                if run.ended:
                    break
                if run.silent():
                    silences += 1
                    beat = encoder.heartbeat(silent_chunk=silences % _SILENT_FRAMES == 0)
                    await send({"type": "http.response.body", "body": beat, "more_body": True})
                elif pipe is not None and not run.listened:
                    before, index = index, await _push(run, index, encode, pipe)
                    silences = 0 if index > before else silences
                else:
                    await run.changed()
                continue
            if not started and not at_once:
                if index + len(batch) == 1 and not run.silent():
                    await run.changed()
                    continue
                if len(run.log) == 2 and isinstance(run.ending, RunFailed):
                    await _fail(run, run.ending, protocol, send, headers)
                    return
            frames: list[bytes] = []
            failed: RunFailed | None = None
            try:
                frames.extend(map(encode, batch))
            except Exception as error:
                failed = unwritable(run, error)
                if not started:
                    await _fail(run, failed, protocol, send, headers)
                    return
                frames.append(encode(failed))
            if not started:
                started = True
                watch.grace_s = 0.0  # a client that has its status does not retry any more
                headers += [(b"content-type", protocol.media_type.encode()), _time_taken(run)]
                await send({"type": "http.response.start", "status": 200, "headers": headers + _STREAM})
            index, silences = run.read_to(), 0
            await send({"type": "http.response.body", "body": b"".join(frames), "more_body": True})
            del batch, frames  # or a silent stream would hold on to them
            if failed is not None:
                break
        await send({"type": "http.response.body", "body": b"", "more_body": False})
    finally:
        watch.stop()


class _Pipe(Shape):
    """A connection that takes bytes without being awaited, while it is `writable`, and says when it is `disconnected`."""

    disconnected: bool
    on_gone: Callable[[], None] | None

    @property
    def writable(self) -> bool: ...

    def push(self, body: bytes) -> None: ...


def _pipe_of(send: Send) -> _Pipe | None:
    """The connection that `send` belongs to, if nothing stands between and it is one of ours."""
    pipe: Any = getattr(send, "__self__", None)
    return pipe if hasattr(pipe, "push") else None


async def _push(run: Run, index: int, encode: Callable[[AnyEvent], bytes], pipe: _Pipe) -> int:
    """Write events within the call that brings them, with no task to be woken: a third of a lone token's way. Gives how
    far it came: to the Run's end, a connection that is full, an event that cannot be encoded, or a sign of life.
    """

    def more() -> bool:
        nonlocal index
        batch = run.log.since(index)
        if not batch or not pipe.writable:
            return False
        try:
            body = encode(batch[0]) if len(batch) == 1 else b"".join(map(encode, batch))
        except Exception:  # the caller comes upon it again
            return False
        index = run.read_to()
        if body:
            pipe.push(body)
        return not run.ended

    await run.listen(more)
    return index


async def replay(
    run: Run,
    frame: Callable[[int, AnyEvent], bytes],
    heartbeat: bytes,
    after: int,
    media_type: str,
    receive: Receive,
    send: Send,
    headers: RawHeaders,
) -> None:
    """Send the events after index `after`, and go on as they come. Reading so neither keeps a Run going nor ends it."""
    headers = [*headers, (b"content-type", media_type.encode()), *_STREAM]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    gone = asyncio.get_running_loop().create_task(disconnected(receive))
    index = after + 1
    try:
        while not gone.done():
            frames: list[bytes] = []
            try:
                frames.extend(frame(last, event) for last, event in run.log.numbered(index))
            except Exception as error:
                frames.append(frame(len(run.log), unwritable(run, error)))
                await send({"type": "http.response.body", "body": b"".join(frames), "more_body": True})
                break
            index = max(index, len(run.log))
            if frames:
                await send({"type": "http.response.body", "body": b"".join(frames), "more_body": True})
            elif run.ended:
                break
            else:
                more = asyncio.ensure_future(run.changed())
                await asyncio.wait((more, gone), return_when=asyncio.FIRST_COMPLETED)
                more.cancel()
                if index == len(run.log) and not run.ended:
                    await send({"type": "http.response.body", "body": heartbeat, "more_body": True})
        await send({"type": "http.response.body", "body": b"", "more_body": False})
    finally:
        gone.cancel()


async def disconnected(receive: Receive) -> None:
    """Wait until the client has gone."""
    while (await receive())["type"] != "http.disconnect":
        pass


def unwritable(run: Run, error: Exception) -> RunFailed:
    """The Run's failure where the wire's encoder failed."""
    failed = RunFailed("internal_error", f"The answer could not be written: {type(error).__name__}.")
    logger.error("run %s: %s", run.id, failed.message, exc_info=error)
    run.cancel(failed)
    return failed


def failure(run: Run, ending: RunFailed) -> AgentRunError:
    """Why the Run failed, as an error with its HTTP status."""
    if isinstance(run.error, AgentRunError):
        return run.error
    error = AgentRunError(ending.message, code=ending.code)
    error.status = _STATUS.get(ending.code, 500)
    return error


def told(error: Exception, request_id: str) -> AgentRunError:
    """What the caller is told of an exception: all of our own errors, of others only the type."""
    if isinstance(error, AgentRunError):
        return error
    logger.error("request %s failed", request_id, exc_info=error)
    return AgentRunError(f"The server failed with {type(error).__name__}.", code="internal_error")


async def _fail(run: Run, ending: RunFailed, protocol: Protocol, send: Send, headers: RawHeaders) -> None:
    """The agent had begun, so a client's retry would run it again: it is asked not to."""
    headers.append((b"x-should-retry", b"false"))
    await refuse(send, protocol, failure(run, ending), headers)


def _time_taken(run: Run) -> tuple[bytes, bytes]:
    return b"openai-processing-ms", b"%d" % ((time.time() - run.created) * 1000)


class _Watch:
    """Waits for the client to go away, and takes its reader from the Run then."""

    __slots__ = ("_left", "_pipe", "_receive", "_run", "_task", "grace_s")

    def __init__(self, run: Run, receive: Receive, pipe: _Pipe | None, grace_s: float) -> None:
        self._run = run
        self._receive = receive
        self._pipe = pipe
        self.grace_s = grace_s
        self._task: asyncio.Task[None] | None = None
        self._left = False

    def start(self) -> None:
        if self._left or self._run.ended:
            return
        if self._pipe is None:
            self._task = asyncio.get_running_loop().create_task(self._wait())
        elif self._pipe.disconnected:
            self._gone()
        else:
            self._pipe.on_gone = self._gone

    def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()
        if self._pipe is not None:
            self._pipe.on_gone = None
        self._leave()

    async def _wait(self) -> None:
        await disconnected(self._receive)
        self._gone()

    def _gone(self) -> None:
        if self.grace_s:  # as a reader: a retry may be on its way
            asyncio.get_running_loop().call_later(self.grace_s, self._leave)
        else:
            self._leave()

    def _leave(self) -> None:
        if not self._left:
            self._left = True
            self._run.leave()
