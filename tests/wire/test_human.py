"""A human in the loop, over chat completions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import openai
import pytest
from wire.clients import shows

from agentrun.messages import AgentRequest

CLIENT = "openai-python"


async def agent(request: AgentRequest):
    yield "Looking."
    name = await request.ask("Who are you?")
    yield f"Hello {name}."


def chat(url: str, *said: str, stream: bool = False, **more: Any) -> Any:
    with openai.OpenAI(base_url=f"{url}/openai/v1", api_key="none", max_retries=0) as client:
        messages: Any = [{"role": "user", "content": text} for text in said]
        done = client.chat.completions.create(model="m", messages=messages, stream=stream, extra_body=more)
        return list(done) if stream else done


def asides(done: Any) -> list[Any]:
    return [event for event in done.agentrun["events"] if event["type"] == "input.required"]


@shows("chat", "human")
def test_a_session_and_the_next_message_are_enough(serve: Callable[..., str]):
    url = serve(agent)
    first = chat(url, "hi", session_id="s")
    assert first.choices[0].message.content == "Looking.\n\nWho are you?"
    assert first.choices[0].finish_reason == "stop"
    second = chat(url, "Alice", session_id="s")
    assert second.choices[0].message.content == "Hello Alice."


@shows("chat", "human")
def test_a_stream_shows_the_question_as_text(serve: Callable[..., str]):
    url = serve(agent)
    chunks = chat(url, "hi", stream=True)
    text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks)
    assert text == "Looking.\n\nWho are you?"
    (asked,) = [chunk.agentrun for chunk in chunks if getattr(chunk, "agentrun", None)]
    again = chat(url, "Bob", resume=asked["id"], stream=True)
    assert "".join(chunk.choices[0].delta.content or "" for chunk in again) == "Hello Bob."


@shows("chat", "human")
def test_without_a_session_the_completion_or_the_question_is_named(serve: Callable[..., str]):
    url = serve(agent)
    first = chat(url, "hi")
    assert chat(url, "Eve", resume=first.id).choices[0].message.content == "Hello Eve."
    (asked,) = asides(chat(url, "hi"))
    assert chat(url, "Joe", resume=asked["id"]).choices[0].message.content == "Hello Joe."
    with pytest.raises(openai.ConflictError, match="not open any more"):
        chat(url, "Joe", resume=asked["id"])


def test_a_graphs_thread_is_of_its_user_alone(serve: Callable[..., str]):
    from integration.test_kept import asking

    from agentrun.integration.langgraph_checkpoint import Checkpointer
    from agentrun.sessions import MemoryStore

    url = serve(asking(Checkpointer(MemoryStore())))

    def say(user: str, text: str) -> str:
        return chat(url, text, session_id="s", user=user).choices[0].message.content

    assert say("alice", "hi") == "Sure?"
    assert say("bob", "yes") == "Sure?"
    assert say("alice", "yes") == "You said yes after 1."
    assert say("bob", "no") == "You said no after 1."
