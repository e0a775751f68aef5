"""`agentrun sessions`: what is kept of conversations here, and how to forget it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Annotated, Any, TypeVar

import msgspec
import typer

from agentrun import config
from agentrun.cli import output
from agentrun.errors import ConfigError
from agentrun.events import RunFailed
from agentrun.sessions import Store, Summary, Turn, messages_of, open_store

T = TypeVar("T")
_MOST = 100_000

sessions = typer.Typer(
    no_args_is_help=True, add_completion=False, help="Sessions that are kept. Each command takes --json."
)
_Json = Annotated[bool, typer.Option("--json", help="One JSON object.")]
_Id = Annotated[str, typer.Argument(help="The session's id.")]
_User = Annotated[str | None, typer.Option("--user", help="Of this user only.")]
_Bot = Annotated[str | None, typer.Option("--bot", help="Of this bot only.")]


@sessions.command("list")
def list_sessions(
    user: _User = None,
    bot: _Bot = None,
    limit: Annotated[int, typer.Option("--limit", min=1, help="Show so many.")] = 20,
    as_json: _Json = False,
) -> None:
    """Say what sessions there are, the latest first."""
    found = [one for one in _with_store(_all) if _is_of(one, user, bot)][:limit]
    if as_json:
        output.data({"sessions": [msgspec.to_builtins(one) for one in found]})
        return
    for one in found:
        typer.echo(f"{one.session_id}  {_turns(one)}, last {_time(one.updated)}{_of(one)}")
    if not found:
        output.note("No session is kept here. Sessions begin with a request that has a session_id.")


@sessions.command()
def show(id: _Id, user: _User = None, bot: _Bot = None, as_json: _Json = False) -> None:
    """Say what was said in a session, and how each turn ended."""

    async def read(store: Store) -> tuple[Summary, list[Turn]]:
        one = await _one(store, id, user, bot)
        return one, list(await store.session(one.scope, id))

    one, turns = _with_store(read)
    if as_json:
        output.data({"session": msgspec.to_builtins(one), "turns": [_shown(turn) for turn in turns]})
        return
    for turn in turns:
        typer.echo(f"{_time(turn.created)}  {turn.id}  {_ending(turn)}")
        for message in messages_of(turn):
            calls = "".join(f" [{call.name} {call.arguments}]" for call in message.tool_calls or ())
            typer.echo(f"  {message.role}: {message.text}{calls}")


@sessions.command()
def delete(id: _Id, user: _User = None, bot: _Bot = None, as_json: _Json = False) -> None:
    """Forget a session, with all that belongs to it."""

    async def remove(store: Store) -> int:
        return await store.delete_session((await _one(store, id, user, bot)).scope, id)

    turns = _with_store(remove)
    if as_json:
        output.data({"deleted": id, "turns": turns})
    else:
        typer.echo(f"{id} is forgotten, with {turns} turn{'s' if turns != 1 else ''}.")


def _with_store(work: Callable[[Store], Awaitable[T]]) -> T:
    settings = config.load()
    if settings.sessions == "memory":
        raise ConfigError(
            "Sessions are kept in memory, where only the server sees them.", hint="Set AGENTRUN_SESSIONS."
        )

    async def run() -> T:
        store = open_store(settings.sessions, settings.data)
        try:
            return await work(store)
        finally:
            await store.close()

    return asyncio.run(run())


async def _all(store: Store) -> list[Summary]:
    return list(await store.sessions(limit=_MOST))


async def _one(store: Store, id: str, user: str | None, bot: str | None) -> Summary:
    found = [one for one in await _all(store) if one.session_id == id and _is_of(one, user, bot)]
    if not found:
        raise ConfigError(
            f"There is no session {id!r}.", hint="Run: agentrun sessions list", code="not_found"
        )
    if len(found) > 1:
        raise ConfigError(
            f"There are {len(found)} sessions {id!r}.",
            hint="Say whose with --user or --bot. They are: "
            + "; ".join(_of(one).strip() or "nobody's" for one in found),
        )
    return found[0]


def _is_of(one: Summary, user: str | None, bot: str | None) -> bool:
    return (user is None or one.scope.user_id == user) and (bot is None or one.scope.bot_id == bot)


def _of(one: Summary) -> str:
    scope = one.scope
    named = (("user", scope.user_id), ("bot", scope.bot_id), ("key", scope.owner))
    return "".join(f"  {name} {value}" for name, value in named if value)


def _shown(turn: Turn) -> dict[str, Any]:
    return {
        "id": turn.id,
        "parent": turn.parent,
        "status": turn.status,
        "ending": _ending(turn),
        "created": turn.created,
        "finished": turn.finished,
        "messages": [message.to_openai() for message in messages_of(turn)],
    }


def _ending(turn: Turn) -> str:
    last = turn.events[-1] if turn.events else None
    return f"failed, {last.code}: {last.message}" if isinstance(last, RunFailed) else turn.status


def _turns(one: Summary) -> str:
    return f"{one.turns} turn{'s' if one.turns != 1 else ''}"


def _time(seconds: float) -> str:
    return datetime.fromtimestamp(seconds).strftime("%Y-%m-%d %H:%M:%S")
