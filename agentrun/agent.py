"""Agent: any callable -> a stream of loose events."""

from __future__ import annotations

import asyncio
import functools
import inspect
import logging
import types
import typing
from collections.abc import (
    AsyncGenerator,
    AsyncIterable,
    AsyncIterator,
    Awaitable,
    Callable,
    Coroutine,
    Generator,
    Iterable,
    Iterator,
    Mapping,
)
from typing import Any, Protocol, cast, get_args, get_origin

from agentrun.errors import ConfigError
from agentrun.events import Loose
from agentrun.intake import Intake, unreadable
from agentrun.messages import AgentRequest
from agentrun.utils import blocking
from agentrun.utils.unicode import whole

logger = logging.getLogger(__name__)

Callback = Callable[[AgentRequest], object]

_HINT = "Write it as: async def invoke_agent(request: AgentRequest): yield ..."
_SCALARS = (int, float, bool, bytes, complex)
# where the type of one value stands among the arguments of an annotation
_ITEM = {
    **dict.fromkeys(
        (Iterator, Iterable, Generator, AsyncIterator, AsyncIterable, AsyncGenerator, Awaitable), 0
    ),
    **dict.fromkeys((list, tuple, set, frozenset), 0),
    Coroutine: 2,
}
_TURN = 64  # values an agent may give before others on its loop get a turn


class Sink(Protocol):
    """Where a Run's values go. `closing` is set once nobody wants more of them."""

    closing: bool

    def put(self, value: Loose) -> None: ...

    async def room(self) -> None:
        """Wait while a slow reader is too far behind."""
        ...

    def wait_room(self) -> None: ...

    def stops(self) -> None:
        """The agent has seen that it is to stop, and cleans up: it need not be cancelled any more."""
        ...


class Agent:
    """The user's callable, looked at once: what it is, and how it is to be run.

    `sync` callbacks run in a thread; others are coroutines of the agents' loop; `blocks` names the blocking
    call found in an async one, which then gets a loop of its own for each Run.
    """

    def __init__(self, callback: Callback, *, name: str | None = None) -> None:
        _check_signature(callback)
        self._callback = callback
        self.name = name or getattr(callback, "__name__", type(callback).__name__)
        self.sync = not _is_async(callback)
        self.blocks = None if self.sync else blocking.find(callback)

    async def run(self, request: AgentRequest, sink: Sink) -> None:
        """Run an async callback to its end."""
        answer = self._callback(request)
        if type(answer) is types.AsyncGeneratorType:  # most are, and asking by abstract class takes longer
            await _pour_stream(cast("AsyncIterable[object]", answer), sink, Intake())
        else:
            await _pour_async(answer, sink, Intake())

    def run_in_thread(self, request: AgentRequest, sink: Sink) -> Awaitable[None] | None:
        """Run a sync callback to its end, in this thread. If its answer has to be awaited, that is given back."""
        answer = self._callback(request)
        if isinstance(answer, (AsyncIterable, Awaitable)):
            return _pour_async(cast("object", answer), sink, Intake())
        _pour(answer, sink, Intake())
        return None


async def _pour_async(answer: object, sink: Sink, intake: Intake) -> None:
    while inspect.isawaitable(answer):
        answer = await cast("Awaitable[object]", answer)
    if isinstance(answer, AsyncIterable):
        await _pour_stream(cast("AsyncIterable[object]", answer), sink, intake)
    elif _is_stream(answer):
        await asyncio.to_thread(_pour, answer, sink, intake)
    else:
        _give(answer, sink, intake)


def _is_stream(answer: object) -> bool:
    """Whether it is to be iterated; what the intake reads as a whole is not."""
    if isinstance(answer, Iterator):
        return True
    whole_values = (str, bytes, bytearray, Mapping, list, tuple, set, frozenset)
    return (
        isinstance(answer, Iterable)
        and not isinstance(answer, whole_values)
        and not hasattr(cast("object", answer), "model_dump")
    )


async def _pour_stream(answer: AsyncIterable[object], sink: Sink, intake: Intake) -> None:
    put, turn = sink.put, _TURN
    try:
        async for value in answer:
            if type(value) is str:
                if value:
                    put(value if value.isascii() or value.isprintable() else whole(value))
            else:
                _give(value, sink, intake)
            if sink.closing:
                sink.stops()
                break
            turn -= 1
            if not turn:
                # an agent that never suspends must still let others run, and be cancelled
                turn = _TURN
                await sink.room()
        else:
            if type(answer) is types.AsyncGeneratorType:
                return  # it has come to its end by itself: nothing to close
    except BaseException:
        try:
            await _aclose(cast("object", answer))
        except Exception:
            logger.warning("The agent also raised on being closed.", exc_info=True)
        raise
    await _aclose(cast("object", answer))


async def _aclose(answer: object) -> None:
    close = getattr(answer, "aclose", None)
    if close is not None:
        await close()


def _pour(answer: object, sink: Sink, intake: Intake) -> None:
    if not _is_stream(answer):
        _give(answer, sink, intake)
        return
    put, turn = sink.put, _TURN
    try:
        for value in cast("Iterable[object]", answer):
            if type(value) is str:
                if value:
                    put(value if value.isascii() or value.isprintable() else whole(value))
            else:
                _give(value, sink, intake)
            if sink.closing:
                break
            turn -= 1
            if not turn:
                turn = _TURN
                sink.wait_room()
    except BaseException:
        try:
            _close(answer)
        except Exception:
            logger.warning("The agent also raised on being closed.", exc_info=True)
        raise
    _close(answer)


def _close(answer: object) -> None:
    close = getattr(answer, "close", None)
    if close is not None:
        close()


def _give(value: object, sink: Sink, intake: Intake) -> None:
    for event in intake.read(value):
        sink.put(event)


def _is_async(callback: Callback) -> bool:
    function = _innermost(callback)
    if inspect.iscoroutinefunction(function) or inspect.isasyncgenfunction(function):
        return True
    # a plain function that says it gives an async stream only builds it: no thread needed for that
    returns = _return_type(function)
    origin = get_origin(returns) or returns
    return isinstance(origin, type) and issubclass(origin, (AsyncIterable, Awaitable))


def _innermost(callback: Any) -> Any:
    while isinstance(callback, functools.partial):
        callback = cast("functools.partial[object]", callback).func
    if inspect.isfunction(callback) or inspect.ismethod(callback) or isinstance(callback, type):
        return callback
    return getattr(callback, "__call__", callback)  # noqa: B004 - the method itself is wanted


def _return_type(function: Any) -> Any:
    try:
        return typing.get_type_hints(getattr(function, "__func__", function)).get("return")
    except Exception:  # a hint that cannot be resolved is no hint
        return None


def _is_no_answer(hint: Any) -> bool:
    """Whether an annotation speaks of values that are none."""
    origin = get_origin(hint) or hint
    if origin in (typing.Union, types.UnionType):
        return all(_is_no_answer(one) for one in get_args(hint) if one is not types.NoneType)
    if isinstance(origin, type) and origin in _ITEM:
        items = get_args(hint)[_ITEM[origin] :]
        return bool(items) and _is_no_answer(items[0])
    return isinstance(origin, type) and issubclass(origin, _SCALARS)


def _check_signature(callback: object) -> None:
    if not callable(callback):
        raise ConfigError(f"invoke_agent is {type(callback).__name__}, which cannot be called.", hint=_HINT)
    name = getattr(callback, "__name__", type(callback).__name__)
    returns = _return_type(_innermost(callback))
    if _is_no_answer(returns):
        shown = returns.__name__ if isinstance(returns, type) and not get_args(returns) else str(returns)
        raise ConfigError(f"{name} says it returns {shown}, which is no answer.", hint=_HINT)
    try:
        parameters = list(inspect.signature(callback).parameters.values())
    except (TypeError, ValueError):  # some builtins have no signature
        return
    positional = [p for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    if not positional and not any(p.kind is p.VAR_POSITIONAL for p in parameters):
        wanted = ", ".join(p.name for p in parameters) or "no argument"
        raise ConfigError(f"{name} takes {wanted}, but it is called with one AgentRequest.", hint=_HINT)
    required = [p.name for p in positional if p.default is p.empty]
    required += [p.name for p in parameters if p.kind is p.KEYWORD_ONLY and p.default is p.empty]
    wants_messages = bool(positional) and positional[0].name == "messages"
    if len(required) > 1 or wants_messages:
        raise ConfigError(
            f"{name} wants {', '.join(required) or 'messages'}, but it is called with one AgentRequest.",
            hint=f"{_HINT} The messages are request.messages.",
        )


__all__ = ["Agent", "Callback", "Sink", "unreadable"]
