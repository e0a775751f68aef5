"""Conversations as the openai package makes them, and as the Agents SDK keeps its sessions in them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import openai
import pytest
from agents import Agent as Assistant
from agents import OpenAIConversationsSession, OpenAIResponsesModel, RunConfig, Runner
from wire.clients import seen_by
from wire.requirements import requirement

from agentrun.server import AgentRequest

CLIENT = "openai-python"


async def agent(request: AgentRequest):
    yield " | ".join(f"{message.role}: {message.text}" for message in request.messages)


@pytest.fixture(scope="module")
def url(serve_module: Callable[..., str]) -> str:
    return serve_module(agent)


@pytest.fixture
def client(url: str):
    with openai.OpenAI(base_url=f"{url}/openai/v1", api_key="none", max_retries=0) as client:
        yield client


def create(client: openai.OpenAI, text: Any, **more: Any) -> Any:
    return client.responses.create(model="m", input=text, **more)


def texts(items: Any) -> list[str]:
    return [part.text for item in items for part in item.content]


@requirement("responses:conversation:made")
def test_a_conversation_is_made_read_noted_of_and_forgotten(client: openai.OpenAI):
    made = client.conversations.create(metadata={"topic": "demo"})
    assert made.id.startswith("conv_") and made.object == "conversation"
    assert client.conversations.retrieve(made.id) == made
    changed = client.conversations.update(made.id, metadata={"topic": "other"})
    assert changed.metadata == {"topic": "other"} and changed.created_at == made.created_at
    assert create(client, "one", conversation=made.id).output_text == "user: one"
    gone = client.conversations.delete(made.id)
    assert (gone.id, gone.deleted, gone.object) == (made.id, True, "conversation.deleted")
    with pytest.raises(openai.NotFoundError) as missing:
        client.conversations.retrieve(made.id)
    assert missing.value.code == "conversation_not_found"
    assert create(client, "one", conversation=made.id).output_text == "user: one"


@requirement("responses:conversation:made")
def test_what_is_added_is_heard_once_and_before_the_next_question(client: openai.OpenAI):
    made = client.conversations.create(items=[{"role": "user", "content": "I am Ann."}])
    added = client.conversations.items.create(
        made.id, items=[{"type": "message", "role": "assistant", "content": "Hello Ann."}]
    )
    assert (texts(added.data), added.first_id) == (["Hello Ann."], added.data[0].id)
    heard = "user: I am Ann. | assistant: Hello Ann. | user: Who am I?"
    counted = client.responses.input_tokens.count(model="m", input="Who am I?", conversation=made.id)
    alone = client.responses.input_tokens.count(model="m", input="Who am I?")
    assert counted.input_tokens > alone.input_tokens
    assert create(client, "Who am I?", conversation=made.id).output_text == heard
    again = create(client, "Sure?", conversation=made.id).output_text
    assert again == f"{heard} | assistant: {heard} | user: Sure?"


@requirement("responses:conversation:made")
def test_items_are_listed_in_pages_got_and_deleted(client: openai.OpenAI):
    made = client.conversations.create()
    create(client, "one", conversation=made.id)
    client.conversations.items.create(made.id, items=[{"role": "user", "content": "two"}])
    said = ["one", "user: one", "two"]
    assert texts(client.conversations.items.list(made.id, order="asc", limit=2)) == said
    first_page = client.conversations.items.list(made.id, limit=1)
    assert (texts(first_page.data), first_page.has_more) == (["two"], True)
    listed = list(client.conversations.items.list(made.id))
    assert texts(listed) == said[::-1]
    assert [item.role for item in listed] == ["user", "assistant", "user"]
    for item in listed:
        assert client.conversations.items.retrieve(item.id, conversation_id=made.id) == item
    client.conversations.items.delete(listed[0].id, conversation_id=made.id)
    assert texts(client.conversations.items.list(made.id)) == said[1::-1]
    with pytest.raises(openai.NotFoundError):
        client.conversations.items.retrieve(listed[0].id, conversation_id=made.id)
    with pytest.raises(openai.BadRequestError) as in_use:
        client.conversations.items.delete(listed[1].id, conversation_id=made.id)
    assert in_use.value.code == "item_in_use"


@requirement("responses:conversation:made")
def test_what_is_wrong_with_an_item_is_said(client: openai.OpenAI):
    made = client.conversations.create()
    for items, param in (
        ([{"role": "king", "content": "x"}], "items[0].role"),
        ([{"role": "user", "content": "x"}] * 21, "items"),
    ):
        with pytest.raises(openai.BadRequestError) as wrong:
            client.conversations.items.create(made.id, items=items)  # type: ignore[arg-type]
        assert wrong.value.param == param
    with pytest.raises(openai.NotFoundError):
        client.conversations.items.create("conv_none", items=[{"role": "user", "content": "x"}])


@requirement("responses:conversation:made")
def test_a_conversation_of_a_name_of_ones_own_is_one_once_something_was_said(client: openai.OpenAI):
    create(client, "one", conversation="my own")
    assert client.conversations.retrieve("my own").metadata == {}
    assert texts(client.conversations.items.list("my own", order="asc")) == ["one", "user: one"]


@requirement("responses:conversation:owner")
def test_another_keys_and_another_users_conversation_is_not_there(serve: Callable[..., str]):
    base_url = serve(agent, api_keys=["one", "two"]) + "/openai/v1"
    with (
        openai.OpenAI(base_url=base_url, api_key="one", max_retries=0) as mine,
        openai.OpenAI(base_url=base_url, api_key="two", max_retries=0) as theirs,
    ):
        made = mine.conversations.create(items=[{"role": "user", "content": "secret"}])
        create(mine, "secret", conversation=made.id)
        (item, *_) = mine.conversations.items.list(made.id)
        alice: Any = {"extra_headers": {"x-user-id": "alice"}}
        for other, more in ((theirs, {}), (mine, alice)):
            for call in (
                lambda: other.conversations.retrieve(made.id, **more),  # noqa: B023
                lambda: other.conversations.update(made.id, metadata={}, **more),  # noqa: B023
                lambda: other.conversations.delete(made.id, **more),  # noqa: B023
                lambda: other.conversations.items.list(made.id, **more),  # noqa: B023
                lambda: other.conversations.items.retrieve(item.id, conversation_id=made.id, **more),  # noqa: B023
                lambda: other.conversations.items.create(made.id, items=[], **more),  # noqa: B023
            ):
                with pytest.raises(openai.NotFoundError):
                    call()
            assert create(other, "hi", conversation=made.id, **more).output_text == "user: hi"


@requirement("responses:conversation:agents")
@seen_by("openai-agents")
async def test_the_agents_sdk_keeps_a_session_in_a_conversation(url: str):
    async with openai.AsyncOpenAI(base_url=f"{url}/openai/v1", api_key="none") as client:
        session = OpenAIConversationsSession(openai_client=client)
        assistant = Assistant(name="a", model=OpenAIResponsesModel("m", client))
        quiet = RunConfig(tracing_disabled=True)
        await Runner.run(assistant, "one", session=session, run_config=quiet)
        second = await Runner.run(assistant, "two", session=session, run_config=quiet)
        assert second.final_output == "user: one | assistant: user: one | user: two"
        assert len(await session.get_items()) == 4
        last: Any = await session.pop_item()
        assert last["content"][0]["text"] == second.final_output
        assert len(await session.get_items()) == 3
        await session.clear_session()
        assert await session.get_items() == []
