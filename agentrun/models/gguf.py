"""A GGUF file of the user's as a model in this process, by llama.cpp."""

from __future__ import annotations

import asyncio
import secrets
import threading
from collections.abc import AsyncGenerator, AsyncIterator
from functools import partial
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import msgspec

from agentrun.errors import ConfigError, MissingExtra
from agentrun.models.exchange import Call, Reply, refusal
from agentrun.models.spec import ModelSpec
from agentrun.utils.threads import Threads

_JSON = ("content-type", "application/json")
_SSE = ("content-type", "text/event-stream; charset=utf-8")
_PACKAGE = "xllamacpp"
_CHAT = "/chat/completions"
_Chunks = AsyncIterator[dict[str, Any]]


class Gguf:
    """Exchanges calls without leaving the process. The file is loaded by the first of them."""

    def __init__(self, name: str, spec: ModelSpec) -> None:
        self._path = _file(name, spec)
        self._name = self._path.stem
        self._body = spec.body
        self._slots = spec.max_concurrency or 1
        self._context = spec.context_tokens * self._slots
        self._threads = Threads("gguf", self._slots)
        self._loading = threading.Lock()
        self._server: Any = None

    async def __call__(self, call: Call) -> Reply:
        if not call.path.endswith(_CHAT) or call.fields is None:
            return refusal(404, "not_found", "A model in this process speaks the chat completions API only.")
        fields = {**self._body, **call.fields, "model": self._name, "stream": True}
        fields["stream_options"] = {"include_usage": True, **(call.fields.get("stream_options") or {})}
        chunks = self._chunks(fields)
        try:
            first = await anext(chunks)
        except ValueError as error:
            return refusal(400, "invalid_request", f"{self._name}: {error}.")
        except (RuntimeError, StopAsyncIteration) as error:
            reason = (
                f"{self._path} gave no answer: {error}."
                if self._server
                else f"{self._path} cannot be loaded."
            )
            return refusal(404, "model_failed", reason)
        if "error" in first:
            return _refused(first["error"])
        if not call.stream:
            return _whole([first, *[chunk async for chunk in chunks]])
        return Reply(200, [_SSE], _frame(first), _frames(chunks), chunks.aclose)

    async def _chunks(self, fields: dict[str, Any]) -> AsyncGenerator[dict[str, Any]]:
        """What llama.cpp says, from a thread; to leave the loop stops it at its next token."""
        loop, said = asyncio.get_running_loop(), asyncio.Queue[Any]()
        left = threading.Event()
        self._threads.run(partial(self._generate, fields, loop, said, left))
        try:
            while (chunk := await said.get()) is not None:
                if isinstance(chunk, BaseException):
                    raise chunk
                yield chunk
        finally:
            left.set()

    def _generate(
        self,
        fields: dict[str, Any],
        loop: asyncio.AbstractEventLoop,
        said: asyncio.Queue[Any],
        left: threading.Event,
    ) -> None:
        def tell(chunk: Any) -> bool:
            """True stops it."""
            if not left.is_set():
                try:
                    loop.call_soon_threadsafe(said.put_nowait, chunk)
                except RuntimeError:  # the loop is closed
                    left.set()
            return left.is_set()

        try:
            self._loaded().handle_chat_completions(fields, tell)
        except Exception as error:
            tell(error)
        tell(None)

    def _loaded(self) -> Any:
        with self._loading:
            if self._server is None:
                llama: Any = import_module(_PACKAGE)
                wanted = llama.CommonParams()
                wanted.model.path = str(self._path)
                wanted.model_alias = {self._name}
                wanted.n_ctx, wanted.n_parallel = self._context, self._slots
                wanted.verbosity = -1
                # it listens on a port of its own besides, which is for nobody
                wanted.ui, wanted.api_keys = False, [secrets.token_hex(32)]
                self._server = llama.Server(wanted)
        return self._server


def _file(name: str, spec: ModelSpec) -> Path:
    if spec.model is None:
        raise ConfigError(
            f'"{name}" is a local model, but not which.', hint="Name its file: model: path/to/model.gguf"
        )
    path = Path(spec.model).expanduser()
    if not path.is_file():
        raise ConfigError(
            f'"{name}" is the local model {path}, and there is no such file.',
            hint="The path is taken from the folder the agent is started in.",
        )
    if find_spec(_PACKAGE) is None:
        raise MissingExtra(_PACKAGE, "local")
    return path


async def _frames(chunks: _Chunks) -> AsyncIterator[bytes]:
    async for chunk in chunks:
        yield _frame(chunk)
    yield b"data: [DONE]\n\n"


def _frame(chunk: dict[str, Any]) -> bytes:
    return b"data: %b\n\n" % msgspec.json.encode(chunk)


def _whole(said: list[dict[str, Any]]) -> Reply:
    """The stream added up: only a stream can be stopped on the way."""
    from openai.lib.streaming.chat import ChatCompletionStreamState
    from openai.types.chat import ChatCompletionChunk

    state: Any = ChatCompletionStreamState()
    for chunk in said:
        if "error" in chunk:
            return _refused(chunk["error"])
        state.handle_chunk(ChatCompletionChunk.model_validate(chunk))
    whole = state.current_completion_snapshot.model_dump_json(exclude_unset=True)
    return Reply(200, [_JSON], whole.encode())


def _refused(error: dict[str, Any]) -> Reply:
    return refusal(int(error.get("code") or 500), str(error.get("type")), str(error.get("message")))
