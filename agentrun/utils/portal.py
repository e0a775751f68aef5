"""An event loop in a thread of its own, for synchronous callers of asynchronous code."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import AsyncGenerator, AsyncIterable, Callable, Coroutine, Generator, Iterator
from contextlib import AbstractAsyncContextManager, contextmanager
from typing import Any, TypeVar

T = TypeVar("T")

_lock = threading.Lock()
_loop: asyncio.AbstractEventLoop | None = None


def run(coroutine: Coroutine[Any, Any, T]) -> T:
    """What the coroutine gives. It is cancelled if the caller is interrupted."""
    future = asyncio.run_coroutine_threadsafe(coroutine, _running())
    try:
        return future.result()
    except BaseException:
        future.cancel()
        raise


async def call(coroutine: Coroutine[Any, Any, T]) -> T:
    """The same for a caller on a loop of its own, for what has to stay on one loop whoever uses it."""
    return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(coroutine, _running()))


def post(function: Callable[[], object]) -> None:
    """Have the function called on the loop, soon; nobody waits for it."""
    _running().call_soon_threadsafe(function)


def start(coroutine: Coroutine[Any, Any, object]) -> None:
    """Have the coroutine run to its end; nobody waits for it."""
    asyncio.run_coroutine_threadsafe(coroutine, _running())


def iterate(stream: AsyncIterable[T]) -> Iterator[T]:
    """The items of an asynchronous stream, one by one. It is closed if the caller stops before its end."""
    source = aiter(stream)
    try:
        while True:
            yield run(_next(source))
    except StopAsyncIteration:
        return
    finally:
        if isinstance(source, AsyncGenerator):
            # not waited for: whoever collects this iterator may be the loop's own thread
            start(source.aclose())


@contextmanager
def entered(awaited: AbstractAsyncContextManager[T]) -> Generator[T, None, None]:
    """The same as `async with`."""
    yielded = run(_enter(awaited))
    try:
        yield yielded
    finally:
        run(_leave(awaited))


async def _enter(awaited: AbstractAsyncContextManager[T]) -> T:
    return await awaited.__aenter__()


async def _leave(awaited: AbstractAsyncContextManager[Any]) -> None:
    await awaited.__aexit__(None, None, None)


async def _next(source: Any) -> Any:
    return await anext(source)


def _running() -> asyncio.AbstractEventLoop:
    global _loop
    with _lock:
        if _loop is None:
            _loop = asyncio.new_event_loop()
            threading.Thread(target=_loop.run_forever, name="agentrun-portal", daemon=True).start()
        return _loop


def _forget() -> None:
    global _loop, _lock
    _loop, _lock = None, threading.Lock()


# the thread does not exist in a forked child
os.register_at_fork(after_in_child=_forget)
