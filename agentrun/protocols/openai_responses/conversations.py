"""Conversations: sessions as OpenAI's clients make, read and forget them.

A conversation is a session under its id, and what was said in it are its turns. What a client adds itself waits in notes
beside it, and goes with the next answer's input.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any, Literal

import msgspec
from msgspec import structs

from agentrun.errors import NotFound, RequestError
from agentrun.messages import Message
from agentrun.protocols.body import read_body
from agentrun.protocols.openai_responses.answer import ItemList
from agentrun.protocols.openai_responses.encoder import ResponsesEncoder
from agentrun.protocols.openai_responses.items import items_of_messages, messages_of_items, read_items
from agentrun.protocols.openai_responses.pages import list_of, page_of
from agentrun.protocols.protocol import Action, Answer, Ask, Call, Desk, Reply
from agentrun.sessions import Note, Scope, Turn
from agentrun.utils import ids
from agentrun.utils.json import dumps

_ABOUT, _ITEM = "openai_conversation", "openai_item"
_MOST_ITEMS = 20  # in one request, as OpenAI has it
_PREFIXES = {"message": "msg_", "function_call": "fc_", "function_call_output": "fco_", "reasoning": "rs_"}


class NewConversation(msgspec.Struct):
    """A conversation, perhaps with what was said before it."""

    items: list[dict[str, Any]] | None = None
    metadata: dict[str, Any] | None = None


class ChangedConversation(msgspec.Struct):
    """What is noted of a conversation from now on."""

    metadata: dict[str, Any] | None = None


class NewItems(msgspec.Struct):
    """What was said elsewhere."""

    items: list[dict[str, Any]]


class Conversation(msgspec.Struct):
    """What is known of a conversation; its items are asked for apart."""

    id: str
    created_at: int
    metadata: dict[str, Any]
    object: Literal["conversation"] = "conversation"


class DeletedConversation(msgspec.Struct):
    """A conversation is forgotten, with all that was said in it."""

    id: str
    object: Literal["conversation.deleted"] = "conversation.deleted"
    deleted: bool = True


class Added:
    """What was added to a conversation and no answer has heard yet. It is for one answer alone."""

    def __init__(self, conversation_id: str, user_id: str | None, owner: str, desk: Desk) -> None:
        self._session_id = conversation_id
        self._scope = Scope(owner, "", user_id or "")
        self._store = desk.conversations.store
        self._taken: list[Note] = []

    async def look(self) -> list[Message]:
        """What it is."""
        return _messages(await self._store.notes(self._scope, _ITEM, self._session_id))

    async def take(self) -> list[Message]:
        """What it is, for an answer that is about to begin."""
        for note in await self._store.notes(self._scope, _ITEM, self._session_id):
            if await self._store.delete_notes(self._scope, _ITEM, self._session_id, note.id):
                self._taken.append(note)
        return _messages(self._taken)

    async def put_back(self) -> None:
        """The answer did not begin."""
        if self._taken:
            await self._store.put(*self._taken)


async def _create(ask: Ask, desk: Desk) -> Answer:
    _, given = read_body(ask.body or b"{}", NewConversation)
    items = _new_items(given.items or [])
    about = _note(ask, ids.new("conv_"), _ABOUT, "", given.metadata or {})
    await desk.conversations.store.put(
        about, *(_note(ask, about.session_id, _ITEM, item["id"], item) for item in items)
    )
    return Reply(body=dumps(_shown(about)))


async def _retrieve(ask: Ask, desk: Desk) -> Answer:
    return Reply(body=dumps(_shown(await _about(ask, desk))))


async def _update(ask: Ask, desk: Desk) -> Answer:
    _, given = read_body(ask.body, ChangedConversation)
    about = structs.replace(await _about(ask, desk), body=given.metadata or {})
    await desk.conversations.store.put(about)
    return Reply(body=dumps(_shown(about)))


async def _delete(ask: Ask, desk: Desk) -> Answer:
    about = await _about(ask, desk)
    for scope in _scopes(ask, desk):
        await desk.conversations.store.delete_session(scope, about.session_id)
    return Reply(body=dumps(DeletedConversation(about.session_id)))


async def _list_items(ask: Ask, desk: Desk) -> Answer:
    return Reply(body=dumps(page_of(await _items(ask, desk), ask)))


async def _add_items(ask: Ask, desk: Desk) -> Answer:
    _, given = read_body(ask.body, NewItems)
    about = await _about(ask, desk)
    items = _new_items(given.items)
    await desk.conversations.store.put(
        *(_note(ask, about.session_id, _ITEM, item["id"], item) for item in items)
    )
    return Reply(body=dumps(list_of(items)))


async def _retrieve_item(ask: Ask, desk: Desk) -> Answer:
    return Reply(body=dumps(await _item(ask, desk)))


async def _delete_item(ask: Ask, desk: Desk) -> Answer:
    about, item = await _about(ask, desk), await _item(ask, desk)
    if not await desk.conversations.store.delete_notes(_scope(ask), _ITEM, about.session_id, item["id"]):
        raise RequestError(
            f"The item {item['id']!r} is part of an answer or of what was asked.",
            hint="Delete the conversation, or the response.",
            param="item_id",
            code="item_in_use",
        )
    return Reply(body=dumps(_shown(about)))


_ONE = "/conversations/{conversation_id}"
_ITEMS = f"{_ONE}/items"
ACTIONS = (
    Action(
        method="POST",
        path="/conversations",
        summary="Begin a conversation",
        act=_create,
        request=NewConversation,
        response=Conversation,
    ),
    Action(path=_ONE, summary="What is known of a conversation", act=_retrieve, response=Conversation),
    Action(
        method="POST",
        path=_ONE,
        summary="Note something of a conversation",
        act=_update,
        request=ChangedConversation,
        response=Conversation,
    ),
    Action(
        method="DELETE",
        path=_ONE,
        summary="Forget a conversation",
        act=_delete,
        response=DeletedConversation,
    ),
    Action(path=_ITEMS, summary="What was said in a conversation", act=_list_items, response=ItemList),
    Action(
        method="POST",
        path=_ITEMS,
        summary="Add what was said elsewhere",
        act=_add_items,
        request=NewItems,
        response=ItemList,
    ),
    Action(path=f"{_ITEMS}/{{item_id}}", summary="One item", act=_retrieve_item),
    Action(
        method="DELETE",
        path=f"{_ITEMS}/{{item_id}}",
        summary="Forget an item that was added",
        act=_delete_item,
        response=Conversation,
    ),
)


def _scope(ask: Ask) -> Scope:
    return Scope(ask.owner, "", ask.headers.get("x-user-id") or "")


def _scopes(ask: Ask, desk: Desk) -> list[Scope]:
    """Where turns of a conversation may be: with each bot that the caller has talked to."""
    own = _scope(ask)
    return [own, *(structs.replace(own, bot_id=bot_id) for bot_id in desk.bots)]


async def _about(ask: Ask, desk: Desk) -> Note:
    """What was noted of the conversation that the path names; one that only has turns is one as well."""
    id = ask.path["conversation_id"]
    known = await desk.conversations.store.notes(_scope(ask), _ABOUT, id)
    if known:
        return known[0]
    turns = await _turns(ask, desk)
    if not turns:
        raise NotFound(
            f"There is no conversation {id!r}.", param="conversation_id", code="conversation_not_found"
        )
    return structs.replace(_note(ask, id, _ABOUT, "", {}), created=turns[0].created)


async def _turns(ask: Ask, desk: Desk) -> list[Turn]:
    """Oldest first; one that goes on, as far as it has come."""
    store, id = desk.conversations.store, ask.path["conversation_id"]
    turns = [turn for scope in _scopes(ask, desk) for turn in await store.session(scope, id)]
    for turn in turns:
        run = desk.conversations.runs.get(turn.id, ask.owner)
        if run is not None:
            turn.events = run.log.since(0)
    return sorted(turns, key=lambda turn: turn.created)


async def _items(ask: Ask, desk: Desk) -> list[dict[str, Any]]:
    """Oldest first."""
    about = await _about(ask, desk)
    added = await desk.conversations.store.notes(_scope(ask), _ITEM, about.session_id)
    said = [item for turn in await _turns(ask, desk) for item in _items_of(turn)]
    return said + [note.body for note in added]


def _items_of(turn: Turn) -> list[dict[str, Any]]:
    """What was asked, and what was answered as far as it has come."""
    call = Call(run_id=turn.id, created=int(turn.created), request=turn.request)
    answered = ResponsesEncoder(call, turn.request.model or "").response(turn.events).output
    return [
        *items_of_messages(turn.id, turn.request.messages),
        *msgspec.json.decode(dumps(answered), type=list[dict[str, Any]]),
    ]


async def _item(ask: Ask, desk: Desk) -> dict[str, Any]:
    id = ask.path["item_id"]
    for item in await _items(ask, desk):
        if item["id"] == id:
            return item
    raise NotFound(f"There is no item {id!r}.", param="item_id", code="item_not_found")


def _new_items(given: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Items as they are kept: looked at, whole, and under ids of their own."""
    if len(given) > _MOST_ITEMS:
        raise RequestError(f"{len(given)} items; at most {_MOST_ITEMS} are added at once.", param="items")
    read_items(given, "items")
    return [_whole(item) for item in given]


def _whole(given: dict[str, Any]) -> dict[str, Any]:
    kind = given.get("type") or "message"
    item = {"status": "completed", **given, "type": kind, "id": ids.new(_PREFIXES.get(kind, "item_"))}
    content = item.get("content")
    if kind == "message" and isinstance(content, str):
        is_answer = item.get("role") == "assistant"
        text: dict[str, Any] = {"type": "output_text" if is_answer else "input_text", "text": content}
        item["content"] = [{**text, "annotations": []} if is_answer else text]
    return item


def _note(ask: Ask, session_id: str, kind: str, id: str, body: Any) -> Note:
    return Note(kind=kind, id=id, scope=_scope(ask), session_id=session_id, created=time.time(), body=body)


def _messages(notes: Sequence[Note]) -> list[Message]:
    return messages_of_items(read_items([note.body for note in notes]))


def _shown(about: Note) -> Conversation:
    return Conversation(about.session_id, int(about.created), about.body)
