"""ChatHistory: a LangChain chat history in AgentRun's session store; messages as JSON."""

from __future__ import annotations

import time
from collections.abc import Sequence

from agentrun.errors import MissingExtra
from agentrun.integration.kept import kept_scope, kept_store
from agentrun.sessions import Note, Store
from agentrun.utils import ids, portal

try:
    from langchain_core.chat_history import BaseChatMessageHistory
    from langchain_core.messages import BaseMessage, message_to_dict, messages_from_dict
except ImportError as error:
    raise MissingExtra("LangChain", "langchain") from error

_KIND = "langchain.message"


class ChatHistory(BaseChatMessageHistory):
    """The messages of one session. Within a Run they are those of its user, bot and API key, and of nobody else."""

    def __init__(self, session_id: str, store: Store | None = None) -> None:
        self._session_id = session_id
        self._store = store or kept_store()
        self._scope = kept_scope()

    @property
    def messages(self) -> list[BaseMessage]:  # type: ignore[override]
        return portal.run(self.aget_messages())

    async def aget_messages(self) -> list[BaseMessage]:
        notes = await self._store.notes(self._scope, _KIND, self._session_id)
        return messages_from_dict([note.body for note in notes])

    def add_messages(self, messages: Sequence[BaseMessage]) -> None:
        portal.run(self.aadd_messages(messages))

    async def aadd_messages(self, messages: Sequence[BaseMessage]) -> None:
        now = time.time()
        await self._store.put(
            *(
                Note(
                    kind=_KIND,
                    id=ids.new("message_"),
                    scope=self._scope,
                    session_id=self._session_id,
                    created=now,
                    body=message_to_dict(message),
                )
                for message in messages
            )
        )

    def clear(self) -> None:
        portal.run(self.aclear())

    async def aclear(self) -> None:
        await self._store.delete_notes(self._scope, _KIND, self._session_id)
