"""Checkpointer: LangGraph's checkpoints in AgentRun's session store, as JSON. So a graph that waits for a human outlives
a restart.

create_agent(model(), tools=[...], checkpointer=Checkpointer())
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Iterator, Sequence
from typing import Any, cast

from agentrun.errors import MissingExtra
from agentrun.integration.kept import kept_scope, kept_store
from agentrun.integration.langgraph_json import from_json, to_json
from agentrun.sessions import Note, Scope, Store
from agentrun.utils import portal

try:
    from langchain_core.runnables import RunnableConfig
    from langgraph.checkpoint.base import (
        WRITES_IDX_MAP,
        BaseCheckpointSaver,
        ChannelVersions,
        Checkpoint,
        CheckpointMetadata,
        CheckpointTuple,
        get_checkpoint_id,
        get_checkpoint_metadata,
    )
except ImportError as error:
    raise MissingExtra("LangGraph", "langgraph") from error

_CHECKPOINT, _LATEST, _WRITES = "langgraph.checkpoint:", "langgraph.latest", "langgraph.writes:"


class Checkpointer(BaseCheckpointSaver[int]):
    """A thread is a session; within a Run it is that of its user, bot and API key, and of nobody else."""

    def __init__(self, store: Store | None = None) -> None:
        super().__init__()
        self._store = store or kept_store()

    # --- async

    async def aget_tuple(self, config: RunnableConfig) -> CheckpointTuple | None:
        return await self._get(config, kept_scope())

    async def alist(
        self,
        config: RunnableConfig | None,
        *,
        filter: dict[str, Any] | None = None,
        before: RunnableConfig | None = None,
        limit: int | None = None,
    ) -> AsyncIterator[CheckpointTuple]:
        for found in await self._list(config, filter, before, limit, kept_scope()):
            yield found

    async def aput(
        self,
        config: RunnableConfig,
        checkpoint: Checkpoint,
        metadata: CheckpointMetadata,
        new_versions: ChannelVersions,
    ) -> RunnableConfig:
        return await self._put(config, checkpoint, metadata, kept_scope())

    async def aput_writes(
        self, config: RunnableConfig, writes: Sequence[tuple[str, Any]], task_id: str, task_path: str = ""
    ) -> None:
        await self._put_writes(config, writes, task_id, task_path, kept_scope())

    async def adelete_thread(self, thread_id: str) -> None:
        await self._delete(thread_id, kept_scope())

    # --- sync: the scope is that of the caller's context, which the portal does not have

    def get_tuple(self, config: RunnableConfig) -> CheckpointTuple | None:
        return portal.run(self._get(config, kept_scope()))

    def list(
        self,
        config: RunnableConfig | None,
        *,
        filter: dict[str, Any] | None = None,
        before: RunnableConfig | None = None,
        limit: int | None = None,
    ) -> Iterator[CheckpointTuple]:
        yield from portal.run(self._list(config, filter, before, limit, kept_scope()))

    def put(
        self,
        config: RunnableConfig,
        checkpoint: Checkpoint,
        metadata: CheckpointMetadata,
        new_versions: ChannelVersions,
    ) -> RunnableConfig:
        return portal.run(self._put(config, checkpoint, metadata, kept_scope()))

    def put_writes(
        self, config: RunnableConfig, writes: Sequence[tuple[str, Any]], task_id: str, task_path: str = ""
    ) -> None:
        portal.run(self._put_writes(config, writes, task_id, task_path, kept_scope()))

    def delete_thread(self, thread_id: str) -> None:
        portal.run(self._delete(thread_id, kept_scope()))

    # --- the store

    async def _get(self, config: RunnableConfig, scope: Scope) -> CheckpointTuple | None:
        thread, space = _where(config)
        wanted = get_checkpoint_id(config)
        if wanted is None:
            latest = await self._store.notes(scope, _LATEST, thread, space)
            if not latest:
                return None
            wanted = str(latest[0].body)
        found = await self._store.notes(scope, _CHECKPOINT + space, thread, wanted)
        return await self._tuple(found[0], space) if found else None

    async def _list(
        self,
        config: RunnableConfig | None,
        filter: dict[str, Any] | None,
        before: RunnableConfig | None,
        limit: int | None,
        scope: Scope,
    ) -> Sequence[CheckpointTuple]:
        if config is None:
            return []
        thread, space = _where(config)
        only, until = get_checkpoint_id(config), get_checkpoint_id(before) if before else None
        kept: list[CheckpointTuple] = []
        for note in reversed(await self._store.notes(scope, _CHECKPOINT + space, thread, only)):
            if limit is not None and len(kept) >= limit:
                break
            if until is not None and note.id >= until:
                continue
            found = await self._tuple(note, space)
            metadata = cast("dict[str, Any]", found.metadata)
            if all(metadata.get(name) == value for name, value in (filter or {}).items()):
                kept.append(found)
        return kept

    async def _tuple(self, note: Note, space: str) -> CheckpointTuple:
        writes = await self._store.notes(note.scope, f"{_WRITES}{space}:{note.id}", note.session_id)
        parent: str | None = note.body["parent"]
        return CheckpointTuple(
            config=_config(note.session_id, space, note.id),
            checkpoint=from_json(note.body["checkpoint"]),
            metadata=from_json(note.body["metadata"]),
            parent_config=_config(note.session_id, space, parent) if parent else None,
            pending_writes=[
                (write.body["task"], write.body["channel"], from_json(write.body["value"]))
                for write in writes
            ],
        )

    async def _put(
        self, config: RunnableConfig, checkpoint: Checkpoint, metadata: CheckpointMetadata, scope: Scope
    ) -> RunnableConfig:
        thread, space = _where(config)
        body = {
            "checkpoint": to_json(checkpoint),
            "metadata": to_json(get_checkpoint_metadata(config, metadata)),
            "parent": get_checkpoint_id(config),
        }
        id = checkpoint["id"]
        await self._store.put(
            _note(_CHECKPOINT + space, id, scope, thread, body), _note(_LATEST, space, scope, thread, id)
        )
        return _config(thread, space, id)

    async def _put_writes(
        self,
        config: RunnableConfig,
        writes: Sequence[tuple[str, Any]],
        task_id: str,
        task_path: str,
        scope: Scope,
    ) -> None:
        thread, space = _where(config)
        kind = f"{_WRITES}{space}:{get_checkpoint_id(config)}"
        notes = [
            _note(
                kind,
                f"{task_id}:{WRITES_IDX_MAP.get(channel, position)}",
                scope,
                thread,
                {"task": task_id, "path": task_path, "channel": channel, "value": to_json(value)},
            )
            for position, (channel, value) in enumerate(writes)
        ]
        await self._store.put(*notes)

    async def _delete(self, thread: str, scope: Scope) -> None:
        for latest in await self._store.notes(scope, _LATEST, thread):
            for note in await self._store.notes(scope, _CHECKPOINT + latest.id, thread):
                await self._store.delete_notes(scope, f"{_WRITES}{latest.id}:{note.id}", thread)
            await self._store.delete_notes(scope, _CHECKPOINT + latest.id, thread)
        await self._store.delete_notes(scope, _LATEST, thread)


def _where(config: RunnableConfig) -> tuple[str, str]:
    """The thread, and the graph within it."""
    named = config.get("configurable") or {}
    return str(named["thread_id"]), str(named.get("checkpoint_ns") or "")


def _config(thread: str, space: str, id: str) -> RunnableConfig:
    return {"configurable": {"thread_id": thread, "checkpoint_ns": space, "checkpoint_id": id}}


def _note(kind: str, id: str, scope: Scope, thread: str, body: Any) -> Note:
    return Note(kind=kind, id=id, scope=scope, session_id=thread, created=time.time(), body=body)
