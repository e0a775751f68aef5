"""Whatever may be called is served, and what cannot be is refused when the server is made."""

from __future__ import annotations

import functools
import json
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Coroutine, Generator, Iterator
from typing import Any

import pytest
from langchain_core.messages import AIMessage, AIMessageChunk
from openai.types.chat import ChatCompletion, ChatCompletionChunk
from starlette.testclient import TestClient

from agentrun import events
from agentrun.agent import Agent
from agentrun.errors import ConfigError
from agentrun.server import AgentEvent, AgentRequest, AgentRunServer, EventType, Message, MessageRole


def said(delta: dict[str, Any], kind: str) -> dict[str, Any]:
    part = "delta" if kind.endswith("chunk") else "message"
    choice = {"index": 0, part: {"role": "assistant", **delta}, "finish_reason": "stop"}
    return {"id": "x", "object": kind, "created": 1, "model": "m", "choices": [choice]}


COMPLETION = said({"content": "hi"}, "chat.completion")
CHUNK = said({"content": "hi"}, "chat.completion.chunk")

# name -> what the agent gives, and the text that a client reads
ANSWERS: dict[str, tuple[Callable[[], object], str]] = {
    "a string": (lambda: "hi", "hi"),
    "None": (lambda: None, ""),
    "an event": (lambda: events.text("hi"), "hi"),
    "a tool call": (lambda: [*events.tool_call("f", {}, call_id="c"), "hi"], "hi"),
    "an AgentEvent": (lambda: AgentEvent(event=EventType.TEXT, data={"delta": "hi"}), "hi"),
    "a dict like an AgentEvent": (lambda: {"event": "TEXT", "data": {"delta": "hi"}}, "hi"),
    "a dict like an event": (lambda: {"type": "part.delta", "text": "hi"}, "hi"),
    "a message": (lambda: Message(MessageRole.ASSISTANT, "hi"), "hi"),
    "a dict like a message": (lambda: {"role": "assistant", "content": "hi"}, "hi"),
    "a LangChain message": (lambda: AIMessage("hi"), "hi"),
    "a LangChain chunk": (lambda: AIMessageChunk("hi"), "hi"),
    "a completion": (lambda: ChatCompletion.model_validate(COMPLETION), "hi"),
    "a dict like a completion": (lambda: COMPLETION, "hi"),
    "a chunk": (lambda: ChatCompletionChunk.model_validate(CHUNK), "hi"),
    "a dict like a chunk": (lambda: CHUNK, "hi"),
    "a list": (lambda: ["h", None, events.text("i"), ["!"]], "hi!"),
    "a tuple": (lambda: ("h", "i"), "hi"),
    "a set": (lambda: {"hi"}, "hi"),
}


def given(request: AgentRequest) -> object:
    return ANSWERS[request.text][0]()


async def async_function(request: AgentRequest):
    return given(request)


async def async_generator(request: AgentRequest):
    yield given(request)


def function(request: AgentRequest):
    return given(request)


def generator(request: AgentRequest):
    yield given(request)


def gives_async_generator(request: AgentRequest):
    return async_generator(request)


def gives_generator(request: AgentRequest):
    return generator(request)


async def awaits_to_async_generator(request: AgentRequest):
    return async_generator(request)


async def awaits_to_generator(request: AgentRequest):
    return generator(request)


def says_it_gives_a_stream(request: AgentRequest) -> AsyncIterator[Any]:
    return async_generator(request)


def with_more(more: object, request: AgentRequest):
    return given(request)


async def async_with_more(request: AgentRequest, more: object = None):
    return given(request)


def wrapped(callback: Callable[..., object]) -> Callable[..., object]:
    @functools.wraps(callback)
    def wrapper(*args: Any, **kwargs: Any) -> object:
        return callback(*args, **kwargs)

    return wrapper


class Methods:
    def function(self, request: AgentRequest):
        return given(request)

    async def async_function(self, request: AgentRequest):
        return given(request)

    def generator(self, request: AgentRequest):
        yield given(request)

    async def async_generator(self, request: AgentRequest):
        yield given(request)

    @classmethod
    async def of_the_class(cls, request: AgentRequest):
        return given(request)

    @staticmethod
    def static(request: AgentRequest):
        return given(request)


class Called:
    def __call__(self, request: AgentRequest):
        return given(request)


class CalledAsync:
    func = None  # not a partial, whatever it looks like

    async def __call__(self, request: AgentRequest):
        return given(request)


class CalledStream:
    async def __call__(self, request: AgentRequest):
        yield given(request)


class Iterated:
    """Iterable, but no iterator."""

    def __init__(self, request: AgentRequest) -> None:
        self._request = request

    def __iter__(self) -> Iterator[object]:
        return iter([given(self._request)])


class IteratedAsync(Iterated):
    async def __aiter__(self) -> AsyncIterator[object]:
        yield given(self._request)


CALLBACKS: dict[str, tuple[Callable[..., object], bool]] = {
    "async function": (async_function, False),
    "async generator": (async_generator, False),
    "function": (function, True),
    "generator": (generator, True),
    "function that gives an async generator": (gives_async_generator, True),
    "function that says so": (says_it_gives_a_stream, False),
    "function that gives a generator": (gives_generator, True),
    "async function that gives an async generator": (awaits_to_async_generator, False),
    "async function that gives a generator": (awaits_to_generator, False),
    "function that gives a coroutine": (lambda request: async_function(request), True),
    "lambda": (lambda request: given(request), True),
    "partial": (functools.partial(with_more, 1), True),
    "async partial": (functools.partial(async_with_more, more=1), False),
    "partial of a partial": (functools.partial(functools.partial(async_with_more), more=1), False),
    "method": (Methods().function, True),
    "async method": (Methods().async_function, False),
    "generator method": (Methods().generator, True),
    "async generator method": (Methods().async_generator, False),
    "class method": (Methods.of_the_class, False),
    "static method": (Methods.static, True),
    "object": (Called(), True),
    "async object": (CalledAsync(), False),
    "async generator object": (CalledStream(), False),
    "decorated function": (wrapped(function), True),
    "decorated async function": (wrapped(async_function), True),
    "class that is iterated": (Iterated, True),
    "class that is iterated asynchronously": (IteratedAsync, True),
}


def ask(client: TestClient, text: str, *, stream: bool) -> tuple[int, str]:
    """The status, and the text of the answer or of the error."""
    body = {"messages": [{"role": "user", "content": text}], "stream": stream}
    answer = client.post("/openai/v1/chat/completions", json=body)
    if answer.status_code != 200:
        return answer.status_code, answer.json()["error"]["message"]
    if not stream:
        return 200, answer.json()["choices"][0]["message"]["content"]
    frames = [frame.removeprefix("data: ") for frame in answer.text.split("\n\n") if frame]
    assert frames[-1] == "[DONE]", frames
    chunks = [json.loads(frame) for frame in frames[:-1]]
    return 200, "".join(chunk["choices"][0]["delta"].get("content", "") for chunk in chunks)


@pytest.mark.parametrize("kind", CALLBACKS)
def test_every_kind_of_callback_gives_every_kind_of_answer(kind):
    callback, sync = CALLBACKS[kind]
    server = AgentRunServer(invoke_agent=callback)
    assert server.agents.answering(AgentRequest(messages=[])).sync == sync
    with TestClient(server.as_fastapi_app()) as client:
        for name, (_, text) in ANSWERS.items():
            for stream in (False, True):
                assert ask(client, name, stream=stream) == (200, text), name


async def partial_target(request: AgentRequest):
    return "ok"


async def _ab(request: AgentRequest):
    yield "a"
    yield "b"


def _ab_sync(request: AgentRequest):
    yield "a"
    yield "b"


async def _gives_ab(request: AgentRequest):
    return _ab(request)


async def _nothings(request: AgentRequest):
    for value in ("a", "", None, "b"):
        yield value


class _AsyncCall:
    async def __call__(self, request: AgentRequest):
        return "ok"


class _StreamCall:
    async def __call__(self, request: AgentRequest):
        yield "ok"


DELTA = AgentEvent(event=EventType.TEXT, data={"delta": "ok"})

# the shapes of the original SDK, and what became of them there: what worked works, what was lost silently does not
ORIGINAL = {
    "def -> str": (lambda request: "ok", "ok"),
    "async def": (partial_target, "ok"),
    "functools.partial(async def)": (functools.partial(partial_target), "ok"),
    "async generator": (_ab, "ab"),
    "def generator": (_ab_sync, "ab"),
    "def returning generator": (lambda request: _ab_sync(request), "ab"),
    "async def returning async generator": (_gives_ab, "ab"),
    "object with async __call__, which was empty": (_AsyncCall(), "ok"),
    "object whose __call__ is an async generator": (_StreamCall(), "ok"),
    "lambda to a coroutine, which was empty": (lambda request: partial_target(request), "ok"),
    "returns None": (lambda request: None, ""),
    "returns AgentEvent": (lambda request: DELTA, "ok"),
    "list": (lambda request: ["a", DELTA, {"content": "b"}, None], "aokb"),
    "tuple": (lambda request: ("a", "b"), "ab"),
    "set": (lambda request: {"a"}, "a"),
    "dict with content": (lambda request: {"content": "ok"}, "ok"),
    "LangChain chunk": (lambda request: AIMessageChunk("ok"), "ok"),
    "dict like an OpenAI response, which was empty": (lambda request: COMPLETION, "hi"),
    "server.Message, which was empty": (lambda request: Message(MessageRole.ASSISTANT, "ok"), "ok"),
    "yields nothings": (_nothings, "ab"),
    "returns int, which was null": (lambda request: 42, ("int",)),
    "returns bytes, which was null": (lambda request: b"x", ("bytes",)),
    "yields int, which was dropped": (lambda request: iter([42]), ("int",)),
    "yields a dict, which was dropped": (lambda request: iter([{"foo": 1}]), ("['foo']",)),
}


@pytest.mark.parametrize("shape", ORIGINAL)
def test_the_shapes_of_the_original(shape):
    callback, expected = ORIGINAL[shape]
    with TestClient(AgentRunServer(invoke_agent=callback).as_fastapi_app()) as client:
        for stream in (False, True):
            status, text = ask(client, "hi", stream=stream)
            if isinstance(expected, str):
                assert (status, text) == (200, expected)
            else:
                assert status == 500
                assert expected[0] in text and "which is no answer" in text


# --- what is refused at once


def no_argument():
    return ""


def two_arguments(request, context):
    return ""


def messages_only(messages):
    return ""


def messages_and_more(messages, stream=False):
    return ""


def keyword_messages(*, messages):
    return ""


def keyword_too(request, *, context):
    return ""


def keywords(**fields):
    return ""


def returns_int(request) -> int:
    return 1


def returns_bytes_or_none(request) -> bytes | None:
    return b""


async def returns_bool(request) -> bool:
    return True


async def yields_ints(request) -> AsyncGenerator[int, None]:
    yield 1


def yields_bytes(request) -> Iterator[bytes]:
    yield b""


def returns_ints(request) -> list[int]:
    return [1]


def promises_int(request) -> Coroutine[Any, Any, int]:
    raise NotImplementedError


class NoCall:
    pass


class NoRequest:
    def __init__(self) -> None: ...


@pytest.mark.parametrize(
    ("callback", "named"),
    [
        (no_argument, "no_argument takes no argument"),
        (lambda: "", "<lambda> takes no argument"),
        (Methods, "Methods takes no argument"),
        (NoRequest, "NoRequest takes no argument"),
        (keywords, "keywords takes fields"),
        (two_arguments, "two_arguments wants request, context"),
        (Methods.function, "function wants self, request"),
        (messages_only, "messages_only wants messages"),
        (messages_and_more, "messages_and_more wants messages"),
        (keyword_messages, "keyword_messages takes messages"),
        (keyword_too, "keyword_too wants request, context"),
        (returns_int, "returns_int says it returns int"),
        (returns_bytes_or_none, "says it returns bytes"),
        (returns_bool, "says it returns bool"),
        (yields_ints, "int"),
        (yields_bytes, "bytes"),
        (returns_ints, "list[int]"),
        (promises_int, "int"),
        (None, "There is no agent to serve"),
        ("agent", "str, which cannot be called"),
        (NoCall(), "NoCall, which cannot be called"),
    ],
)
def test_what_cannot_be_served_is_refused_at_once_with_a_hint(callback, named):
    with pytest.raises(ConfigError) as caught:
        AgentRunServer(invoke_agent=callback)
    assert named in caught.value.message
    assert "async def invoke_agent(request: AgentRequest): yield ..." in (caught.value.hint or "")


async def says_str(request: AgentRequest) -> str:
    return ""


async def says_optional(request: AgentRequest) -> str | None:
    return None


async def yields_str(request: AgentRequest) -> AsyncGenerator[str, None]:
    yield ""


def generates_mixed(request: AgentRequest) -> Generator[str | int, None, None]:
    yield ""


def says_nothing_known(request: AgentRequest) -> Unknown:  # noqa: F821
    return ""


def with_defaults(request, temperature=0.5, *more, top_p=1, **fields):
    return ""


def anything(*args):
    return ""


@pytest.mark.parametrize(
    "callback",
    [says_str, says_optional, yields_str, generates_mixed, says_nothing_known, with_defaults, anything, print, dict],
)  # fmt: skip
def test_what_may_be_served_is_taken(callback):
    Agent(callback)


def test_an_agents_name_is_that_of_its_callback():
    assert Agent(function).name == "function"
    assert Agent(Called()).name == "Called"
    assert Agent(functools.partial(with_more, 1)).name == "partial"
    assert Agent(function, name="mine").name == "mine"
