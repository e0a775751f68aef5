"""Ask: one question to a server over the OpenAI chat wire, its answer as Events."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import suppress
from ipaddress import ip_address
from types import TracebackType
from typing import Any, NoReturn
from urllib.parse import urlsplit

import httpx
import msgspec

from agentrun.cli.chunks import Chunks
from agentrun.cli.sse import data_of
from agentrun.errors import AgentRunError, ConfigError, RequestError, Unauthorized, Unavailable
from agentrun.events import AnyEvent, RunFailed
from agentrun.ledger import Cost

_CONNECT_S = 10


class _Run(msgspec.Struct):
    cost: Cost | None = None


class AnswerFailed(AgentRunError):
    """The Run failed, or its answer broke off."""

    def __init__(self, message: str, *, code: str, run_id: str | None) -> None:
        super().__init__(message, code=code)
        self.run_id = run_id


class Ask:
    """A question on its way; `run_id` is known once the server has taken it. To leave it stops the Run."""

    def __init__(self, url: str, key: str | None, body: Mapping[str, Any]) -> None:
        self.url = chat_url(url)
        self.run_id: str | None = None
        self._body = {**body, "stream": True, "stream_options": {"include_usage": True}}
        # A proxy in the environment must not get what is meant for this machine.
        self._client = httpx.Client(
            headers={"x-on-disconnect": "cancel", **({"authorization": f"Bearer {key}"} if key else {})},
            timeout=httpx.Timeout(None, connect=_CONNECT_S),
            trust_env=not _is_local(self.url),
        )

    def __enter__(self) -> Ask:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._client.close()

    def answer(self) -> Iterator[AnyEvent]:
        """The events of the answer. Ends with an error if the Run did not end as it should."""
        try:
            with self._client.stream("POST", self.url, json=self._body) as response:
                self.run_id = response.headers.get("x-run-id")
                if not response.is_success:
                    _refused(response, self.url)
                yield from self._read(response)
        except (httpx.ConnectError, httpx.ConnectTimeout):
            hint = "Start it with: agentrun dev" if _is_local(self.url) else "Is the URL right?"
            raise Unavailable(
                f"Nothing listens at {_origin(self.url)}.", hint=hint, code="unreachable"
            ) from None
        except (httpx.UnsupportedProtocol, httpx.InvalidURL) as error:
            raise ConfigError(f"The URL {self.url!r} cannot be used: {error}.") from None
        except httpx.TransportError:
            raise self._broken_off() from None

    def cost(self) -> Cost | None:
        """What the models of the Run cost, once it has ended; None where none was called, or the server cannot tell."""
        root = self.url.removesuffix("/chat/completions").removesuffix("/v1").removesuffix("/openai")
        if self.run_id is not None:
            with suppress(httpx.HTTPError, msgspec.DecodeError):
                answer = self._client.get(f"{root}/runs/{self.run_id}", timeout=_CONNECT_S)
                if answer.is_success:
                    return msgspec.json.decode(answer.content, type=_Run).cost
        return None

    def _read(self, response: httpx.Response) -> Iterator[AnyEvent]:
        chunks = Chunks()
        for data in data_of(response.iter_lines()):
            if data == "[DONE]":
                return
            try:
                events = list(chunks.read(msgspec.json.decode(data, type=dict[str, Any])))
            except msgspec.DecodeError as error:
                raise AnswerFailed(
                    f"The server sent what is no chunk of an answer: {error}.",
                    code="invalid_answer",
                    run_id=self.run_id,
                ) from None
            for event in events:
                if isinstance(event, RunFailed):
                    raise AnswerFailed(event.message, code=event.code, run_id=self.run_id)
                yield event
        raise self._broken_off()

    def _broken_off(self) -> AnswerFailed:
        return AnswerFailed("The answer broke off before its end.", code="incomplete", run_id=self.run_id)


def chat_url(url: str) -> str:
    """The chat route of a server's address, of an OpenAI base URL, or the route itself."""
    url = (url if "://" in url else f"http://{url}").rstrip("/")
    path = urlsplit(url).path
    if path.endswith("/chat/completions"):
        return url
    return url + ("/chat/completions" if path else "/openai/v1/chat/completions")


def _origin(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"


def _is_local(url: str) -> bool:
    host = urlsplit(url).hostname or ""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _refused(response: httpx.Response, url: str) -> NoReturn:
    response.read()
    status = response.status_code
    error: dict[str, Any] = {}
    with suppress(msgspec.DecodeError, msgspec.ValidationError):
        error = msgspec.json.decode(response.content, type=dict[str, dict[str, Any]])["error"]
    message = str(error.get("message") or f"{url} answered {status} {response.reason_phrase}.")
    code = error.get("code") or f"http_{status}"
    if status == Unauthorized.status:
        raise Unauthorized(message, hint="Give a key with --key or AGENTRUN_API_KEY.", code=code)
    if status == Unavailable.status:
        raise Unavailable(message, code=code)
    if status < AgentRunError.status:
        hint = None if error else "Is an agent served there?"
        raise RequestError(message, hint=hint, code=code, param=error.get("param"))
    raise AnswerFailed(message, code=code, run_id=response.headers.get("x-run-id"))
