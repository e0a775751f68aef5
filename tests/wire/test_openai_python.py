"""The OpenAI chat wire as the openai package reads it."""

from __future__ import annotations

import asyncio
import threading
import time
from typing import Any

import httpx
import openai
import pydantic
import pytest
from patience import PATIENCE_S

from agentrun import events
from agentrun.config import load
from agentrun.errors import AgentRunError, Conflict, NotFound, PermissionDenied, RateLimited, RequestError
from agentrun.messages import Audio, File, Image, Refusal, Role, Text
from agentrun.protocols.openai_chat import OpenAIChat
from agentrun.server import AgentRequest

CLIENT = "openai-python"

ASK: dict[str, Any] = {"model": "m", "messages": [{"role": "user", "content": "one two three"}]}
TOOL = {
    "type": "function",
    "function": {
        "name": "get_time",
        "description": "The time",
        "parameters": {"type": "object", "properties": {"tz": {"type": "string"}}},
    },
}


async def echo(request: AgentRequest):
    for word in request.text.split():
        yield word + " "


_open: list[openai.OpenAI] = []


@pytest.fixture(autouse=True)
def _close_clients():
    yield
    while _open:
        _open.pop().close()


def client(url: str, **options: Any) -> openai.OpenAI:
    options = {"base_url": f"{url}/openai/v1", "api_key": "none", "max_retries": 0, **options}
    _open.append(openai.OpenAI(**options))
    return _open[-1]


def text_of(chunks: list[Any]) -> str:
    return "".join(c.choices[0].delta.content or "" for c in chunks if c.choices)


class Seen:
    """A callback that keeps the requests it was given."""

    def __init__(self) -> None:
        self.requests: list[AgentRequest] = []

    async def __call__(self, request: AgentRequest) -> str:
        self.requests.append(request)
        return "seen"


class Counted:
    """An openai client that keeps the requests it sends; `on_send(number)` is called before each."""

    def __init__(self, url: str, on_send: Any = lambda number: None, **options: Any) -> None:
        self.sent: list[Any] = []

        def hook(request: Any) -> None:
            self.sent.append(request)
            on_send(len(self.sent))

        http_client = openai.DefaultHttpxClient(event_hooks={"request": [hook]})
        self.openai = client(url, http_client=http_client, max_retries=2, **options)

    @property
    def counts(self) -> list[str]:
        return [request.headers["x-stainless-retry-count"] for request in self.sent]


# --- 2.1 requests, errors, retries


@pytest.mark.parametrize("base", ["/openai/v1", "/openai/v1/", "/v1", "/v1/"])
def test_fact_01_everything_is_under_one_base_url_and_no_slash_redirects(serve, base):
    url = serve(echo)
    asking = client(url, base_url=url + base)
    answer = asking.chat.completions.with_raw_response.create(**ASK)
    assert answer.http_response.history == []
    assert answer.parse().choices[0].message.content == "one two three "
    assert text_of(list(asking.chat.completions.create(**ASK, stream=True))) == "one two three "
    assert [model.id for model in asking.models.list()] == ["agentrun"]
    assert asking.models.retrieve("agentrun").id == "agentrun"


def test_fact_02_models_are_listed_with_the_same_key_as_chat(serve):
    url = serve(echo, models=["small", "team/large"], api_keys=["right"])
    models = list(client(url, api_key="right").models.list())
    assert [(m.id, m.object, m.owned_by) for m in models] == [
        ("small", "model", "agentrun"),
        ("team/large", "model", "agentrun"),
    ]
    assert all(type(m.created) is int for m in models)
    assert client(url, api_key="right").models.retrieve("team/large").id == "team/large"
    for ask in (
        lambda c: c.models.list(),
        lambda c: c.models.retrieve("small"),
        lambda c: c.chat.completions.create(**ASK),
    ):
        with pytest.raises(openai.AuthenticationError):
            ask(client(url, api_key="wrong"))
    with pytest.raises(openai.NotFoundError) as caught:
        client(url, api_key="right").models.retrieve("huge")
    assert caught.value.code == "model_not_found"


def test_fact_03_fields_that_sdks_add_are_accepted_and_reach_the_callback(serve):
    agent = Seen()
    added = {
        "audio": {"format": "wav", "voice": "alloy"},
        "frequency_penalty": 0.5,
        "logit_bias": {"50256": -100},
        "logprobs": False,
        "modalities": ["text"],
        "moderation": {"model": "omni"},
        "prediction": {"type": "content", "content": "x"},
        "presence_penalty": -0.5,
        "prompt_cache_key": "k",
        "prompt_cache_options": {"mode": "explicit"},
        "prompt_cache_retention": "24h",
        "reasoning_effort": "low",
        "safety_identifier": "s",
        "seed": 7,
        "service_tier": "auto",
        "store": True,
        "verbosity": "low",
        "web_search_options": {"search_context_size": "low"},
    }
    vendor = {"vendor": {"deep": [1, {"a": None}]}, "top_k": 5}
    client(serve(agent)).chat.completions.create(**ASK, **added, metadata={"a": "b"}, extra_body=vendor)
    (request,) = agent.requests
    assert request.extra == {**added, **vendor}
    assert request.metadata == {"a": "b"}


def test_fact_04_every_error_has_openais_shape(serve):
    def boom() -> None:
        raise ValueError("secret text")

    url = serve(echo, max_body_bytes=1000, prepare=lambda app: app.get("/openai/v1/boom")(boom))
    asking = client(url)
    long = [{"role": "user", "content": "x" * 2000}]
    for status, code, ask in (
        (404, "not_found", lambda: asking.post("/nowhere", cast_to=object, body={})),
        (405, "method_not_allowed", lambda: asking.get("/chat/completions", cast_to=object)),
        (405, "method_not_allowed", lambda: asking.post("/models", cast_to=object, body={})),
        (413, "request_too_large", lambda: asking.chat.completions.create(model="m", messages=long)),
        (400, "empty_array", lambda: asking.chat.completions.create(model="m", messages=[])),
        (500, "internal_error", lambda: asking.get("/boom", cast_to=object)),
    ):
        with pytest.raises(openai.APIStatusError) as caught:
            ask()
        error = caught.value
        assert (error.status_code, error.code) == (status, code)
        assert isinstance(error.body, dict) and set(error.body) == {"message", "type", "param", "code"}
        assert error.body["message"] in error.message
        assert error.body["type"] == ("server_error" if status == 500 else "invalid_request_error")
        assert "secret text" not in error.message


class BrokenDecoder(OpenAIChat):
    def decode(self, ask):
        raise ZeroDivisionError("secret text")


class BrokenEncoder(OpenAIChat):
    """Its answers break at the word `bad`."""

    def encoder(self, call):
        return _Breaking(super().encoder(call))


class _Breaking:
    def __init__(self, encoder: Any) -> None:
        self._encoder = encoder
        self.heartbeat = encoder.heartbeat

    def encode(self, event):
        if isinstance(event, events.PartDelta) and "bad" in event.text:
            raise ZeroDivisionError("secret text")
        return self._encoder.encode(event)

    def fold(self, events):
        for event in events:
            self.encode(event)
        return self._encoder.fold(events)


def test_fact_04_a_bug_in_a_protocol_is_a_500_in_openais_shape(serve):
    url = serve(echo, protocols=[BrokenDecoder(load())])
    with pytest.raises(openai.InternalServerError) as caught:
        client(url).chat.completions.create(**ASK)
    assert caught.value.code == "internal_error"
    assert "secret text" not in caught.value.message


class Unprocessable(AgentRunError):
    status = 422


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(
    ("raised", "expected"),
    [
        (RequestError("no", param="messages"), openai.BadRequestError),
        (PermissionDenied("no"), openai.PermissionDeniedError),
        (NotFound("no"), openai.NotFoundError),
        (Conflict("no"), openai.ConflictError),
        (Unprocessable("no"), openai.UnprocessableEntityError),
        (RateLimited("no"), openai.RateLimitError),
        (AgentRunError("no"), openai.InternalServerError),
    ],
    ids=lambda value: getattr(value, "__name__", type(value).__name__),
)
def test_fact_05_a_status_is_its_class(serve, raised, expected, stream):
    async def agent(request: AgentRequest):
        raise raised
        yield ""

    with pytest.raises(expected) as caught:
        client(serve(agent)).chat.completions.create(**ASK, stream=stream)
    assert type(caught.value) is expected
    assert caught.value.param == getattr(raised, "param", None)


def test_fact_05_an_unknown_model_is_a_404_and_bad_fields_are_a_400(serve):
    url = serve(echo, models=["known"], strict_models=True)
    with pytest.raises(openai.NotFoundError) as missing:
        client(url).chat.completions.create(**{**ASK, "model": "unknown"})
    assert (missing.value.code, missing.value.param) == ("model_not_found", "model")
    with pytest.raises(openai.BadRequestError) as bad:
        client(url).chat.completions.create(**{**ASK, "model": "known"}, temperature="hot")
    assert bad.value.param == "temperature"


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("values", [[events.RunFailed("c", "broke")], [3.5], [{"a": 1}], [object()]])
def test_fact_06_a_failure_is_never_a_200(serve, values, stream):
    with pytest.raises(openai.InternalServerError) as caught:
        client(serve(values)).chat.completions.create(**ASK, stream=stream)
    assert caught.value.response.headers["content-type"] == "application/json"


@pytest.mark.parametrize("values", [[], [None], [""]])
def test_fact_06_an_agent_that_says_nothing_gives_an_empty_completion(serve, values):
    url = serve(values)
    answer = client(url).chat.completions.create(**ASK)
    assert answer.choices[0].message.content == ""
    chunks = list(client(url).chat.completions.create(**ASK, stream=True))
    assert text_of(chunks) == ""
    assert chunks[-1].choices[0].finish_reason == "stop"


@pytest.mark.parametrize("stream", [False, True])
def test_fact_07_a_failed_run_is_not_retried(serve, stream):
    runs = []

    async def agent(request: AgentRequest):
        runs.append(1)
        raise ValueError("secret text")
        yield ""

    counted = Counted(serve(agent))
    with pytest.raises(openai.InternalServerError) as caught:
        counted.openai.chat.completions.create(**ASK, stream=stream)
    assert "secret text" not in str(caught.value)
    assert "ValueError" in caught.value.message
    assert caught.value.response.headers["x-should-retry"] == "false"
    assert (counted.counts, runs) == (["0"], [1])


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.usefixtures("patient_with_retries")
def test_fact_07_a_retry_after_a_timeout_joins_the_run(serve, stream):
    runs, release = [], threading.Event()

    def agent(request: AgentRequest):
        runs.append(1)
        release.wait(PATIENCE_S)
        return "once"

    def let_the_last_one_wait(number: int) -> None:
        if number == 3:
            counted.sent[-1].extensions["timeout"]["read"] = PATIENCE_S
            release.set()

    counted = Counted(serve(agent), let_the_last_one_wait, timeout=httpx_timeout(0.3))
    answer = counted.openai.chat.completions.create(**ASK, stream=stream)
    said = text_of(list(answer)) if stream else answer.choices[0].message.content
    assert said == "once"
    assert (counted.counts, runs) == (["0", "1", "2"], [1])


def httpx_timeout(read_s: float) -> openai.Timeout:
    return openai.Timeout(PATIENCE_S, read=read_s)


def give_up(url: str, begun: threading.Event, **options: Any) -> None:
    """Ask for a whole answer with little patience, again if the agent was not at work by the time it was over."""
    read_s = 0.1
    while not begun.is_set():
        with pytest.raises(openai.APITimeoutError):
            client(url, timeout=httpx_timeout(read_s)).chat.completions.create(**ASK, **options)
        read_s *= 2


def test_fact_07_a_retry_that_comes_too_late_starts_anew_and_gets_no_cut_answer(serve):
    begun, stopped = threading.Event(), threading.Event()

    async def agent(request: AgentRequest):
        if request.headers["x-stainless-retry-count"] == "0":
            begun.set()
            try:
                await asyncio.Event().wait()
            finally:
                stopped.set()
        yield "whole"

    url = serve(agent)
    give_up(url, begun, extra_headers={"x-stainless-retry-count": "0"})
    assert stopped.wait(PATIENCE_S)
    one = {"x-stainless-retry-count": "1"}
    answer = client(url).chat.completions.create(**ASK, extra_headers=one)
    assert answer.choices[0].message.content == "whole"


def test_fact_07_an_idempotency_key_gives_the_same_run(serve):
    agent = Seen()
    url = serve(agent)
    key = {"Idempotency-Key": "order-1"}
    first = client(url).chat.completions.create(**ASK, extra_headers=key)
    again = client(url).chat.completions.create(**ASK, extra_headers=key)
    assert first.id == again.id
    other = client(url).chat.completions.create(**ASK, extra_headers={"Idempotency-Key": "order-2"})
    assert other.id != first.id
    with pytest.raises(openai.ConflictError) as caught:
        Counted(url).openai.chat.completions.create(**ASK, seed=1, extra_headers=key)
    assert caught.value.code == "idempotency_key_reused"
    assert len(agent.requests) == 2


def test_fact_07_requests_at_the_same_time_with_one_key_share_a_run(serve):
    runs, release = [], threading.Event()

    def agent(request: AgentRequest):
        runs.append(1)
        release.wait(PATIENCE_S)
        return "once"

    url = serve(agent, max_runs=1)

    async def ask_twice() -> list[Any]:
        asking = openai.AsyncOpenAI(base_url=f"{url}/v1", api_key="none", max_retries=0)
        key = {"Idempotency-Key": "k"}
        async with asking:
            first = asyncio.create_task(asking.chat.completions.create(**ASK, extra_headers=key))
            second = asyncio.create_task(asking.chat.completions.create(**ASK, extra_headers=key))
            await asyncio.wait((first, second), timeout=0.2)
            release.set()
            return await asyncio.gather(first, second)

    first, second = asyncio.run(ask_twice())
    assert first.id == second.id
    assert runs == [1]


def test_fact_07_a_retry_never_joins_the_run_of_another_session(serve):
    agent = Seen()
    url = serve(agent)
    one = {"x-session-id": "a", "x-stainless-retry-count": "0"}
    other = {"x-session-id": "b", "x-stainless-retry-count": "1"}
    first = client(url).chat.completions.create(**ASK, extra_headers=one)
    second = client(url).chat.completions.create(**ASK, extra_headers=other)
    assert first.id != second.id
    assert [request.session_id for request in agent.requests] == ["a", "b"]


def test_fact_08_a_full_server_says_when_to_come_back_and_is_obeyed(serve, monkeypatch):
    begun, release = threading.Event(), threading.Event()

    def agent(request: AgentRequest):
        begun.set()
        release.wait(PATIENCE_S)
        return "done"

    url = serve(agent, max_runs=1, max_queued=0)
    holder = threading.Thread(target=lambda: client(url).chat.completions.create(**ASK))
    holder.start()
    assert begun.wait(PATIENCE_S)
    with pytest.raises(openai.RateLimitError) as caught:
        client(url).chat.completions.create(**ASK)
    assert caught.value.response.headers["retry-after"] == "1"
    assert "x-should-retry" not in caught.value.response.headers

    def before(number: int) -> None:
        if number == 2:
            release.set()
            holder.join(PATIENCE_S)

    slept: list[float] = []
    here, sleep = threading.get_ident(), time.sleep
    # the client's, not those of other threads of this process
    monkeypatch.setattr(
        time, "sleep", lambda s: (slept.append if threading.get_ident() == here else sleep)(s)
    )
    counted = Counted(url, before)
    assert counted.openai.chat.completions.create(**ASK).choices[0].message.content == "done"
    assert counted.counts == ["0", "1"]
    assert slept == [1.0]


def test_fact_08_an_exhausted_quota_is_not_retried(serve):
    async def agent(request: AgentRequest):
        raise RateLimited("Your quota is used up.", code="insufficient_quota")

    counted = Counted(serve(agent))
    with pytest.raises(openai.RateLimitError) as caught:
        counted.openai.chat.completions.create(**ASK)
    assert caught.value.code == "insufficient_quota"
    assert caught.value.response.headers["x-should-retry"] == "false"
    assert counted.counts == ["0"]


def test_fact_09_every_answer_has_a_request_id(serve):
    asking = client(serve(echo))
    assert asking.chat.completions.create(**ASK)._request_id.startswith("req_")
    assert asking.models.list()._request_id.startswith("req_")
    assert (
        asking.chat.completions.create(**ASK, stream=True).response.headers["x-request-id"].startswith("req_")
    )
    for ask in (
        lambda: asking.chat.completions.create(model="m", messages=[]),
        lambda: asking.post("/nowhere", cast_to=object, body={}),
        lambda: asking.models.retrieve("nothing"),
    ):
        with pytest.raises(openai.APIStatusError) as caught:
            ask()
        assert caught.value.request_id.startswith("req_")


def test_fact_09_the_callers_request_id_is_kept_if_it_is_a_plain_one(serve):
    asking = client(serve(echo))
    own = {"x-request-id": "mine-1"}
    assert asking.chat.completions.create(**ASK, extra_headers=own)._request_id == "mine-1"
    assert asking.models.list(extra_headers=own)._request_id == "mine-1"
    strange = {"x-request-id": "<script>" + "x" * 500}
    assert asking.chat.completions.create(**ASK, extra_headers=strange)._request_id.startswith("req_")
    assert asking.models.list(extra_headers=strange)._request_id.startswith("req_")


@pytest.mark.parametrize("stream", [False, True])
def test_fact_10_headers_that_tools_read(serve, stream):
    headers = client(serve(echo)).chat.completions.with_raw_response.create(**ASK, stream=stream).headers
    assert headers["openai-version"] == "2020-10-01"
    assert int(headers["openai-processing-ms"]) >= 0
    assert headers["x-run-id"].startswith("run_")


def test_fact_11_every_role_and_shape_of_a_message_is_read(serve):
    agent = Seen()
    call = {"id": "c1", "type": "function", "function": {"name": "get_time", "arguments": '{"tz": "UTC"}'}}
    client(serve(agent)).chat.completions.create(
        model="m",
        messages=[
            {"role": "system", "content": "s"},
            {"role": "developer", "content": "d"},
            {"role": "user", "content": "u", "name": "ann"},
            {"role": "assistant", "content": None, "tool_calls": [call]},
            {"role": "tool", "tool_call_id": "c1", "content": "noon"},
            {"role": "function", "name": "old", "content": "f"},
            {"role": "assistant", "content": "so", "refusal": None},
        ],
    )
    messages = agent.requests[0].messages
    assert [m.role for m in messages] == [
        Role.SYSTEM, Role.DEVELOPER, Role.USER, Role.ASSISTANT, Role.TOOL, Role.FUNCTION, Role.ASSISTANT,
    ]  # fmt: skip
    assert messages[2].name == "ann"
    assert messages[3].content is None
    assert messages[3].tool_calls[0].function == call["function"]
    assert (messages[4].tool_call_id, messages[4].content) == ("c1", "noon")
    assert messages[5].name == "old"
    assert agent.requests[0].openai_messages()[3]["tool_calls"] == [call]


def test_fact_12_every_kind_of_content_part_is_read(serve):
    agent = Seen()
    asking = client(serve(agent))
    parts = [
        {"type": "text", "text": "look"},
        {"type": "image_url", "image_url": {"url": "data:image/png;base64,AA==", "detail": "low"}},
        {"type": "input_audio", "input_audio": {"data": "AA==", "format": "mp3"}},
        {"type": "file", "file": {"file_data": "data:application/pdf;base64,AA==", "filename": "a.pdf"}},
    ]
    refused = {"role": "assistant", "content": [{"type": "refusal", "refusal": "no"}]}
    asking.chat.completions.create(model="m", messages=[{"role": "user", "content": parts}, refused])
    user, assistant = agent.requests[0].messages
    assert user.content == [
        Text("look"),
        Image("data:image/png;base64,AA==", "low"),
        Audio("AA==", "mp3"),
        File(None, "data:application/pdf;base64,AA==", "a.pdf"),
    ]
    assert assistant.content == [Refusal("no")]
    assert agent.requests[0].openai_messages()[0]["content"] == parts
    with pytest.raises(openai.BadRequestError) as caught:
        asking.chat.completions.create(
            model="m", messages=[{"role": "user", "content": [*parts, {"type": "video"}]}]
        )
    assert caught.value.param == "messages[0].content[4].type"


@pytest.mark.parametrize(
    "tool_choice",
    [
        "none",
        "auto",
        "required",
        {"type": "function", "function": {"name": "get_time"}},
        {"type": "allowed_tools", "allowed_tools": {"mode": "auto", "tools": [TOOL]}},
    ],
    ids=str,
)
@pytest.mark.parametrize(
    "response_format",
    [
        {"type": "text"},
        {"type": "json_object"},
        {"type": "json_schema", "json_schema": {"name": "n", "strict": True, "schema": {"type": "object"}}},
    ],
    ids=lambda value: value["type"],
)
def test_fact_13_what_is_asked_of_the_model_reaches_the_callback(shared_seen, tool_choice, response_format):
    agent, url = shared_seen
    custom = {"type": "custom", "custom": {"name": "sql", "description": "SQL"}}
    passed = {
        "stop": ["a", "b"],
        "max_tokens": 5,
        "max_completion_tokens": 6,
        "parallel_tool_calls": False,
        "response_format": response_format,
        "temperature": 0.5,
        "top_p": 1,
        "n": 1,
    }
    client(url).chat.completions.create(**ASK, **passed, tools=[TOOL, custom], tool_choice=tool_choice)
    request = agent.requests[-1]
    assert request.extra == passed
    assert request.tool_choice == tool_choice
    assert [tool.spec for tool in request.tools] == [TOOL, custom]
    assert [tool.name for tool in request.tools] == ["get_time", "sql"]
    assert request.tools[0].function == TOOL["function"]


@pytest.fixture(scope="module")
def shared_seen(serve_module):
    agent = Seen()
    return agent, serve_module(agent)


def test_fact_13_stop_may_be_a_string_and_more_answers_than_one_are_refused(serve):
    agent = Seen()
    asking = client(serve(agent))
    asking.chat.completions.create(**ASK, stop="x")
    assert agent.requests[0].extra["stop"] == "x"
    with pytest.raises(openai.BadRequestError) as caught:
        asking.chat.completions.create(**ASK, n=2)
    assert caught.value.param == "n"


# --- 2.2 whole answers


def test_fact_14_a_whole_answer(serve):
    before = int(time.time())
    answer = client(serve(echo)).chat.completions.create(**ASK)
    assert answer.id.startswith("chatcmpl-")
    assert answer.object == "chat.completion"
    assert before <= answer.created <= time.time()
    assert answer.model == "m"
    (choice,) = answer.choices
    assert (choice.index, choice.finish_reason, choice.logprobs) == (0, "stop", None)
    message = choice.message
    assert (message.role, message.content, message.refusal) == ("assistant", "one two three ", None)
    assert message.tool_calls is None


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(
    ("reason", "expected"),
    [
        ("stop", "stop"),
        ("length", "length"),
        ("content_filter", "content_filter"),
        ("input_required", "stop"),
        ("cancelled", "stop"),
    ],
)
def test_fact_14_every_reason_to_finish_is_one_that_clients_know(serve, reason, expected, stream):
    answer = client(serve(["a", events.RunFinished(reason)])).chat.completions.create(**ASK, stream=stream)
    choice = list(answer)[-1].choices[0] if stream else answer.choices[0]
    assert choice.finish_reason == expected


def test_fact_15_usage_is_what_the_agent_counted(serve):
    counted = [events.Usage(10, 3, {"cached_tokens": 4, "reasoning_tokens": 1}), events.Usage(1, 2)]
    usage = client(serve(["hello", *counted])).chat.completions.create(**ASK).usage
    assert (usage.prompt_tokens, usage.completion_tokens, usage.total_tokens) == (11, 5, 16)
    assert usage.prompt_tokens_details.cached_tokens == 4
    assert usage.completion_tokens_details.reasoning_tokens == 1
    assert "estimated" not in usage.model_extra


def test_fact_15_usage_that_nobody_counted_is_estimated_marked_and_the_same_in_a_stream(serve):
    said = [
        events.reasoning("hm hm hm"),
        "hello there",
        events.tool_call("get_time", {"tz": "UTC"}, call_id="c"),
    ]
    url = serve(said)
    usage = client(url).chat.completions.create(**ASK, tools=[TOOL]).usage
    assert usage.prompt_tokens > 0 and usage.completion_tokens > 0
    assert usage.total_tokens == usage.prompt_tokens + usage.completion_tokens
    assert usage.model_extra == {"estimated": True}
    streamed = client(url).chat.completions.create(
        **ASK, tools=[TOOL], stream=True, stream_options={"include_usage": True}
    )
    assert list(streamed)[-1].usage == usage


def test_fact_16_a_client_tool_goes_out_as_tool_calls_and_its_result_comes_back(serve):
    async def agent(request: AgentRequest):
        if request.messages[-1].role == "tool":
            yield f"It is {request.messages[-1].text}."
        else:
            yield events.tool_call("get_time", {"tz": "UTC"}, call_id="c1")

    asking = client(serve(agent))
    messages: list[Any] = [{"role": "user", "content": "time?"}]
    choice = asking.chat.completions.create(model="m", messages=messages, tools=[TOOL]).choices[0]
    assert choice.finish_reason == "tool_calls"
    assert choice.message.content is None
    (call,) = choice.message.tool_calls
    assert (call.id, call.type, call.function.name) == ("c1", "function", "get_time")
    assert call.function.arguments == '{"tz":"UTC"}'
    messages += [choice.message, {"role": "tool", "tool_call_id": call.id, "content": "noon"}]
    second = asking.chat.completions.create(model="m", messages=messages, tools=[TOOL]).choices[0]
    assert (second.finish_reason, second.message.content) == ("stop", "It is noon.")


@pytest.mark.parametrize("stream", [False, True])
def test_fact_17_tools_that_the_agent_ran_itself_are_never_tool_calls(serve, stream):
    said = [
        events.tool_call("lookup", {"q": 1}, call_id="a1"),
        events.tool_result("a1", "found"),
        "It is found.",
    ]
    answer = client(serve(said)).chat.completions.create(**ASK, tools=[TOOL], stream=stream)
    if stream:
        chunks = list(answer)
        assert all(chunk.choices[0].delta.tool_calls is None for chunk in chunks)
        assert text_of(chunks) == "It is found."
        aside = [chunk.model_extra["agentrun"] for chunk in chunks if "agentrun" in chunk.model_extra]
        reason = chunks[-1].choices[0].finish_reason
    else:
        assert answer.choices[0].message.tool_calls is None
        assert answer.choices[0].message.content == "It is found."
        aside = answer.model_extra["agentrun"]["events"]
        reason = answer.choices[0].finish_reason
    assert reason == "stop"
    assert [(e["type"], e["kind"]) for e in aside] == [
        ("part.started", "tool_call"),
        ("part.delta", "tool_call"),
        ("part.ended", "tool_call"),
        ("part.started", "tool_result"),
        ("part.delta", "tool_result"),
        ("part.ended", "tool_result"),
    ]


def test_fact_17_an_agents_own_tool_beside_the_clients(serve):
    said = [
        events.tool_call("lookup", {"q": 1}, call_id="a1"),
        events.tool_result("a1", "found"),
        events.tool_call("get_time", {"tz": "UTC"}, call_id="c1"),
    ]
    choice = client(serve(said)).chat.completions.create(**ASK, tools=[TOOL]).choices[0]
    assert choice.finish_reason == "tool_calls"
    assert [call.id for call in choice.message.tool_calls] == ["c1"]


class Weather(pydantic.BaseModel):
    city: str
    degrees: float


def test_fact_18_structured_output_parses(serve):
    async def agent(request: AgentRequest):
        schema = request.extra["response_format"]["json_schema"]
        assert schema["schema"]["required"] == ["city", "degrees"]
        yield '{"city": "Oslo",'
        yield ' "degrees": -3.5}'

    answer = client(serve(agent)).chat.completions.parse(**ASK, response_format=Weather)
    assert answer.choices[0].message.parsed == Weather(city="Oslo", degrees=-3.5)


def test_fact_18_a_refusal_stands_in_its_own_field(serve):
    answer = client(serve([events.refusal("I "), events.refusal("won't.")])).chat.completions.parse(
        **ASK, response_format=Weather
    )
    message = answer.choices[0].message
    assert (message.refusal, message.content, message.parsed) == ("I won't.", None, None)


# --- 2.3 streams


def test_fact_19_the_status_of_a_stream_is_decided_before_its_first_byte(serve):
    asking = client(serve(echo))
    with pytest.raises(openai.BadRequestError) as caught:
        asking.chat.completions.create(model="m", messages=[], stream=True)
    assert caught.value.param == "messages"
    headers = asking.chat.completions.create(**ASK, stream=True).response.headers
    assert headers["content-type"].split(";")[0] == "text/event-stream"
    assert headers["cache-control"] == "no-cache"
    assert headers["x-accel-buffering"] == "no"


def test_fact_20_the_chunks_of_a_stream_belong_together(serve):
    chunks = list(client(serve(echo)).chat.completions.create(**ASK, stream=True))
    assert text_of(chunks) == "one two three "
    assert chunks[0].choices[0].delta.role == "assistant"
    assert all(chunk.choices[0].delta.role is None for chunk in chunks[1:])
    assert {(c.object, c.model) for c in chunks} == {("chat.completion.chunk", "m")}
    assert len({(c.id, c.created) for c in chunks}) == 1
    assert chunks[0].id.startswith("chatcmpl-")
    assert [c.choices[0].finish_reason for c in chunks] == [None] * (len(chunks) - 1) + ["stop"]


async def test_fact_20_the_async_client_reads_the_same(serve):
    async with openai.AsyncOpenAI(base_url=f"{serve(echo)}/v1", api_key="none") as asking:
        stream = await asking.chat.completions.create(**ASK, stream=True)
        chunks = [chunk async for chunk in stream]
        assert text_of(chunks) == "one two three "
        whole = await asking.chat.completions.create(**ASK)
        assert whole.choices[0].message.content == "one two three "
        many = await asyncio.gather(*(asking.chat.completions.create(**ASK) for _ in range(20)))
        assert len({answer.id for answer in many}) == 20


def test_fact_21_a_stream_helper_sees_every_frame(serve):
    with client(serve(echo)).chat.completions.stream(**ASK) as stream:
        seen = list(stream)
        final = stream.get_final_completion()
    assert "".join(event.delta for event in seen if event.type == "content.delta") == "one two three "
    assert [event.content for event in seen if event.type == "content.done"] == ["one two three "]
    assert final.choices[0].message.content == "one two three "
    assert final.choices[0].finish_reason == "stop"


@pytest.mark.parametrize("last", [events.Custom("x", object()), 3.5, "bad"], ids=["custom", "float", "bug"])
def test_fact_22_a_stream_never_just_ends(serve, last):
    half = threading.Event()

    async def agent(request: AgentRequest):
        yield "half"
        await asyncio.to_thread(half.wait, PATIENCE_S)
        yield last

    url = serve(agent, protocols=[BrokenEncoder(load())])
    got = []
    with pytest.raises(openai.APIError) as caught:
        for chunk in client(url).chat.completions.create(**ASK, stream=True):
            got.append(chunk)
            if text_of([chunk]):
                half.set()
    assert text_of(got) == "half"
    # said in the stream, not found out by a broken connection
    assert type(caught.value) is openai.APIError
    assert caught.value.code == ("internal_error" if last == "bad" else "invalid_agent_output")
    assert "secret text" not in caught.value.message


@pytest.mark.parametrize("stream", [False, True])
def test_fact_22_an_answer_that_cannot_be_written_is_a_500_that_is_not_retried(serve, stream):
    counted = Counted(serve(["bad"], protocols=[BrokenEncoder(load())]))
    with pytest.raises(openai.InternalServerError) as caught:
        counted.openai.chat.completions.create(**ASK, stream=stream)
    assert caught.value.code == "internal_error"
    assert counted.counts == ["0"]


def test_fact_23_a_failure_mid_stream_is_an_error_frame(serve):
    said = threading.Event()

    async def agent(request: AgentRequest):
        yield "half"
        await asyncio.to_thread(said.wait, PATIENCE_S)
        raise ValueError("secret text")

    stream = client(serve(agent)).chat.completions.create(**ASK, stream=True)
    got = []
    with pytest.raises(openai.APIError) as caught:
        for chunk in stream:
            got.append(chunk)
            if text_of([chunk]):
                said.set()
    assert text_of(got) == "half"
    assert "ValueError" in caught.value.message
    assert "secret text" not in caught.value.message
    assert caught.value.body == {
        "message": caught.value.message,
        "type": "server_error",
        "param": None,
        "code": "agent_error",
    }


def test_fact_23_an_agents_own_failure_keeps_its_code(serve):
    said = ["half", events.RunFailed("out_of_ink", "The pen is empty.")]
    with pytest.raises(openai.APIError) as caught:
        list(client(serve(said)).chat.completions.create(**ASK, stream=True))
    assert (caught.value.code, caught.value.message) == ("out_of_ink", "The pen is empty.")


def test_fact_24_heartbeats_disturb_nobody(serve):
    release = threading.Event()

    def agent(request: AgentRequest):
        yield "a"
        release.wait(PATIENCE_S)
        yield "b"

    stream = client(serve(agent, heartbeat_s=0.05)).chat.completions.create(**ASK, stream=True)
    got = []
    for chunk in stream:
        got.append(chunk)
        if chunk.choices[0].delta.model_dump(exclude_none=True) == {}:
            release.set()  # silence was long enough for comments, and for a chunk that says nothing
    assert text_of(got) == "ab"
    assert all(len(chunk.choices) == 1 for chunk in got)


@pytest.mark.parametrize("wanted", [True, False])
def test_fact_26_usage_comes_last_and_only_where_it_was_asked_for(serve, wanted):
    options = {"stream_options": {"include_usage": True}} if wanted else {}
    said = ["a", events.Custom("x", 1), "b", events.Usage(7, 2)]
    chunks = list(client(serve(said)).chat.completions.create(**ASK, stream=True, **options))
    assert text_of(chunks) == "ab"
    if not wanted:
        assert all(len(chunk.choices) == 1 for chunk in chunks)
        assert all("usage" not in chunk.model_fields_set for chunk in chunks)
        return
    *rest, last = chunks
    assert all(c.usage is None and "usage" in c.model_fields_set for c in rest)
    assert (last.choices, last.usage.total_tokens) == ([], 9)


def test_fact_27_parallel_tool_calls_stream_by_index(serve):
    started = [
        events.PartStarted(kind="tool_call", name="get_time", call_id="c0"),
        events.PartStarted(kind="tool_call", name="get_time", call_id="c1"),
    ]
    pieces = [
        events.PartDelta('{"tz":', "tool_call", call_id="c0"),
        events.PartDelta('{"tz":"', "tool_call", call_id="c1"),
        events.PartDelta('"UTC"}', "tool_call", call_id="c0"),
        events.PartDelta('CET"}', "tool_call", call_id="c1"),
    ]
    url = serve(["Wait. ", *started, *pieces])
    deltas = [
        call
        for chunk in client(url).chat.completions.create(**ASK, tools=[TOOL], stream=True)
        for call in chunk.choices[0].delta.tool_calls or ()
    ]
    assert {call.index for call in deltas} == {0, 1}
    for index, call_id, arguments in ((0, "c0", '{"tz":"UTC"}'), (1, "c1", '{"tz":"CET"}')):
        first, *more = [call for call in deltas if call.index == index]
        assert (first.id, first.type, first.function.name) == (call_id, "function", "get_time")
        assert all((c.id, c.type, c.function.name) == (None, None, None) for c in more)
        assert "".join(c.function.arguments for c in [first, *more]) == arguments

    with client(url).chat.completions.stream(**ASK, tools=[TOOL]) as stream:
        choice = stream.get_final_completion().choices[0]
    assert (choice.finish_reason, choice.message.content) == ("tool_calls", "Wait. ")
    assert [(c.id, c.function.arguments) for c in choice.message.tool_calls] == [
        ("c0", '{"tz":"UTC"}'),
        ("c1", '{"tz":"CET"}'),
    ]


def test_fact_27_tool_calls_one_after_the_other_are_done_in_turn(serve):
    said = [events.tool_call("get_time", {"tz": tz}, call_id=f"c{tz}") for tz in ("UTC", "CET")]
    with client(serve(said)).chat.completions.stream(**ASK, tools=[TOOL]) as stream:
        done = [event for event in stream if event.type == "tool_calls.function.arguments.done"]
    assert [(e.index, e.arguments) for e in done] == [(0, '{"tz":"UTC"}'), (1, '{"tz":"CET"}')]


@pytest.mark.parametrize(
    ("setting", "fields", "content"),
    [
        ("reasoning_content", {"reasoning_content": "let me see"}, "yes"),
        ("reasoning", {"reasoning": "let me see"}, "yes"),
        ("both", {"reasoning_content": "let me see", "reasoning": "let me see"}, "yes"),
        ("think-tags", {}, "<think>let me see</think>yes"),
        ("off", {}, "yes"),
    ],
)
def test_fact_28_reasoning_goes_where_the_setting_says(serve, setting, fields, content):
    url = serve([events.reasoning("let me "), events.reasoning("see"), "yes"], reasoning_field=setting)
    message = client(url).chat.completions.create(**ASK).choices[0].message
    assert message.content == content
    assert message.model_extra == fields
    chunks = list(client(url).chat.completions.create(**ASK, stream=True))
    assert text_of(chunks) == content
    streamed: dict[str, str] = {}
    for chunk in chunks:
        for name, piece in chunk.choices[0].delta.model_extra.items():
            streamed[name] = streamed.get(name, "") + piece
    assert streamed == fields


def test_fact_29_a_refusal_streams_and_no_delta_is_null(serve):
    url = serve([events.refusal("I "), events.refusal("won't.")])
    chunks = list(client(url).chat.completions.create(**ASK, stream=True))
    assert all(chunk.choices[0].delta is not None for chunk in chunks)
    assert "".join(chunk.choices[0].delta.refusal or "" for chunk in chunks) == "I won't."
    with client(url).chat.completions.stream(**ASK) as stream:
        kinds = [event.type for event in stream]
        message = stream.get_final_completion().choices[0].message
    assert "refusal.delta" in kinds and "refusal.done" in kinds
    assert message.refusal == "I won't."


def endless(asynchronous: bool) -> tuple[Any, threading.Event, threading.Event]:
    """An agent that never comes to its end, when it has begun, and when it has been closed."""
    begun, closed = threading.Event(), threading.Event()

    async def in_a_loop(request: AgentRequest):
        begun.set()
        try:
            yield "x"
            await asyncio.Event().wait()
        finally:
            closed.set()

    def in_a_thread(request: AgentRequest):
        begun.set()
        tick = threading.Event()
        try:
            while True:
                yield "x"
                tick.wait(0.01)
        finally:
            closed.set()

    return in_a_loop if asynchronous else in_a_thread, begun, closed


@pytest.mark.parametrize("asynchronous", [True, False])
def test_fact_30_a_disconnect_closes_the_agent(serve, asynchronous):
    agent, _, closed = endless(asynchronous)
    stream = client(serve(agent)).chat.completions.create(**ASK, stream=True)
    next(iter(stream))
    stream.close()
    assert closed.wait(PATIENCE_S)


async def test_fact_30_a_cancelled_task_closes_the_agent(serve):
    agent, _, closed = endless(True)
    async with openai.AsyncOpenAI(base_url=f"{serve(agent)}/v1", api_key="none") as asking:
        stream = await asking.chat.completions.create(**ASK, stream=True)
        first = asyncio.Event()

        async def read() -> None:
            async for _ in stream:
                first.set()

        reading = asyncio.create_task(read())
        await first.wait()
        reading.cancel()
        with pytest.raises(asyncio.CancelledError):
            await reading
        await stream.close()
        assert await asyncio.to_thread(closed.wait, PATIENCE_S)


def test_fact_30_a_client_that_gives_up_waiting_for_a_whole_answer_closes_the_agent(serve):
    agent, begun, closed = endless(True)
    give_up(serve(agent), begun)
    assert closed.wait(PATIENCE_S)


# --- beside the facts


def test_an_answer_names_the_model_when_the_request_does_not(serve):
    body = {"messages": ASK["messages"]}
    assert (
        httpx.post(f"{serve(echo, models=['first'])}/v1/chat/completions", json=body).json()["model"]
        == "first"
    )


@pytest.mark.parametrize(
    ("body", "param"),
    [
        (b"", None),
        (b"[1]", None),
        (b"null", None),
        (b"{}", "messages"),
        (b'{"messages":[]}', "messages"),
        (b'{"messages":[{"role":"bob","content":"x"}]}', "messages[0].role"),
        (b'{"messages":[{"role":"user","content":[{"type":"video"}]}]}', "messages[0].content[0].type"),
        (b'{"messages":[{"role":"user","content":"x"}],"max_tokens":-1}', "max_tokens"),
        (b'{"messages":[{"role":"user","content":"\xff"}]}', None),
        (b"[" * 100_000, None),
    ],
)
def test_bad_input_is_a_400_in_openais_shape(shared_seen, body, param):
    _, url = shared_seen
    answer = httpx.post(f"{url}/v1/chat/completions", content=body)
    assert answer.status_code == 400
    error = answer.json()["error"]
    assert set(error) == {"message", "type", "param", "code"}
    assert error["param"] == param
    assert client(url).chat.completions.create(**ASK).choices[0].message.content == "seen"
