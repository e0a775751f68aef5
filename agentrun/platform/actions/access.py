"""Secrets and keys: set, listed, taken back. Their texts are never told again."""

from __future__ import annotations

from functools import partial

import msgspec

from agentrun.errors import NotFound, RequestError
from agentrun.platform.actions.view import iso
from agentrun.platform.core import Core
from agentrun.platform.keys import hash_of, new_text
from agentrun.platform.secrets import check_name
from agentrun.platform.store import Audit, Records
from agentrun.resources import Key, NewKey, Scope, SecretInfo, SecretRef
from agentrun.utils import ids

_LONGEST = 64 * 1024


async def set_secret(core: Core, name: str, value: str, *, by: str) -> SecretInfo:
    """A new revision, which the next version gets."""
    check_name(name)
    if not value or len(value) > _LONGEST or "\0" in value:
        raise RequestError(f"The value of {name} is empty, longer than {_LONGEST}, or no text.")
    at = core.clock()

    def add(records: Records) -> SecretRef:
        ref = records.add_secret(name, at)
        core.secrets.write(ref, value)  # if it cannot be written, it is not recorded
        records.note(Audit(at, "secret set", name, by, f"revision {ref.revision}"))
        return ref

    ref = await core.records(add)
    return SecretInfo(name, ref.revision, iso(at))


async def secrets(core: Core) -> list[SecretInfo]:
    """Their names."""
    found = await core.records(lambda records: records.secrets())
    return [SecretInfo(name, revision, iso(at)) for name, (revision, at) in found.items()]


async def remove_secret(core: Core, name: str, *, by: str) -> None:
    """New versions do not get it; those that have it keep it."""

    def retire(records: Records) -> None:
        if name not in records.secrets():
            raise NotFound(f"There is no secret {name}.")
        records.retire_secret(name)
        records.note(Audit(core.clock(), "secret remove", name, by))

    await core.records(retire)


async def make_key(
    core: Core,
    name: str,
    scopes: tuple[Scope, ...],
    *,
    by: str,
    runtimes: tuple[str, ...] = (),
    per_minute: int = 600,
    trusted: bool = False,
) -> NewKey:
    """A key and, this once, its text."""
    if not name or not scopes or per_minute < 1:
        raise RequestError("A key needs a name, a scope and a rate of 1 or more.")
    key = Key(ids.new("key_"), name, scopes, core.clock(), runtimes, per_minute, trusted)
    text = new_text()
    await core.records(partial(_put, key, text, by, core.clock()))
    await load_keys(core)
    return NewKey(key.id, name, text)


async def rotate_key(core: Core, id: str, *, by: str) -> NewKey:
    """A new text for a key; the old one is worth nothing from now on."""
    key, text = await _found(core, id), new_text()
    await core.records(
        partial(_put, msgspec.structs.replace(key, created_at=core.clock()), text, by, core.clock())
    )
    await load_keys(core)
    return NewKey(key.id, key.name, text)


async def keys(core: Core) -> list[Key]:
    """What each may do."""
    return [key for _, key in await core.records(lambda records: records.keys())]


async def remove_key(core: Core, id: str, *, by: str) -> None:
    """From now on it is not known."""
    key = await _found(core, id)

    def forget(records: Records) -> None:
        records.remove_key(key.id)
        records.note(Audit(core.clock(), "key remove", key.name, by))

    await core.records(forget)
    await load_keys(core)


async def load_keys(core: Core) -> None:
    """Let the keys in memory be those of the store."""
    core.keys.replace(await core.records(lambda records: records.keys()))


async def _found(core: Core, id: str) -> Key:
    for key in await keys(core):
        if id in (key.id, key.name):
            return key
    raise NotFound(f"There is no key {id}.", hint="See: agentrun keys list")


def _put(key: Key, text: str, by: str, at: float, records: Records) -> None:
    records.put_key(hash_of(text), key)
    records.note(Audit(at, "key set", key.name, by, " ".join(key.scopes)))
