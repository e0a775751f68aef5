"""Records: what can be asked and said inside of one transaction."""

from __future__ import annotations

from typing import Any, TypeVar

import msgspec

from agentrun.errors import NotFound
from agentrun.platform.store.database import Database, Row
from agentrun.resources import Definition, DeployLog, Endpoint, Key, Rollout, Runtime, SecretRef, Version
from agentrun.utils import ids

Body = TypeVar("Body", bound=msgspec.Struct)

_VERSION = "runtime, number, digest, created_at, definition, description, published_at"
_RUNNING = ("deployed", "testing", "gray")
_MOST_DEPLOY_LOGS = 500


class Audit(msgspec.Struct, frozen=True):
    """Who did what to which, and when."""

    at: float
    action: str
    subject: str
    who: str
    detail: str = ""


class Records:
    """The platform's resources. Use it only inside of the transaction that gave it."""

    def __init__(self, database: Database) -> None:
        self._do = database.execute

    # settings

    def setting(self, name: str) -> str | None:
        rows = self._do("SELECT body FROM setting WHERE name = ?", name)
        return rows[0][0] if rows else None

    def set_setting(self, name: str, value: str) -> None:
        self._do(
            "INSERT INTO setting (name, body) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET body = excluded.body",
            name,
            value,
        )

    # runtimes

    def runtimes(self) -> list[Runtime]:
        return [_read(row[0], Runtime) for row in self._do("SELECT body FROM runtime ORDER BY name")]

    def find_runtime(self, name: str) -> Runtime | None:
        rows = self._do("SELECT body FROM runtime WHERE name = ?", name)
        return _read(rows[0][0], Runtime) if rows else None

    def runtime(self, name: str) -> Runtime:
        """NotFound if there is none of this name."""
        found = self.find_runtime(name)
        if found is None:
            names = ", ".join(runtime.name for runtime in self.runtimes())
            raise NotFound(
                f'There is no runtime "{name}".',
                hint=f"There are: {names}." if names else "Run: agentrun deploy",
            )
        return found

    def put_runtime(self, runtime: Runtime) -> None:
        self._do(
            "INSERT INTO runtime (name, body) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET body = excluded.body",
            runtime.name,
            _body(runtime),
        )

    def remove_runtime(self, name: str) -> None:
        """It, and all that is its own."""
        for table in ("deploy_log", "rollout", "endpoint", "version"):
            self._do(f"DELETE FROM {table} WHERE runtime = ?", name)
        self._do("DELETE FROM runtime WHERE name = ?", name)

    # versions

    def versions(self, runtime: str | None = None) -> list[Version]:
        """The oldest first."""
        if runtime is None:
            rows = self._do(f"SELECT {_VERSION} FROM version ORDER BY runtime, number")
        else:
            rows = self._do(f"SELECT {_VERSION} FROM version WHERE runtime = ? ORDER BY number", runtime)
        return [_version(row) for row in rows]

    def find_version(self, runtime: str, number: int) -> Version | None:
        rows = self._do(f"SELECT {_VERSION} FROM version WHERE runtime = ? AND number = ?", runtime, number)
        return _version(rows[0]) if rows else None

    def latest(self, runtime: str) -> Version | None:
        """The newest version."""
        rows = self._do(
            f"SELECT {_VERSION} FROM version WHERE runtime = ? ORDER BY number DESC LIMIT 1", runtime
        )
        return _version(rows[0]) if rows else None

    def add_version(self, version: Version) -> None:
        self._do(
            f"INSERT INTO version ({_VERSION}) VALUES (?, ?, ?, ?, ?, ?, ?)",
            version.runtime,
            version.number,
            version.digest,
            version.created_at,
            _body(version.definition),
            version.description,
            version.published_at,
        )

    def label_version(self, runtime: str, number: int, description: str, at: float) -> None:
        """What people call it, which is all that changes about a version."""
        self._do(
            "UPDATE version SET description = ?, published_at = ? WHERE runtime = ? AND number = ?",
            description,
            at,
            runtime,
            number,
        )

    # what deploys said

    def add_deploy_log(self, log: DeployLog) -> int:
        """Its number. The oldest of all go."""
        ((last,),) = self._do("SELECT COALESCE(MAX(number), 0) FROM deploy_log")
        number = int(last) + 1
        body = _body(msgspec.structs.replace(log, number=number))
        self._do("INSERT INTO deploy_log (number, runtime, body) VALUES (?, ?, ?)", number, log.runtime, body)
        self._do("DELETE FROM deploy_log WHERE number <= ?", number - _MOST_DEPLOY_LOGS)
        return number

    def deploy_logs(self, runtime: str, limit: int) -> list[DeployLog]:
        """The newest first."""
        rows = self._do(
            "SELECT body FROM deploy_log WHERE runtime = ? ORDER BY number DESC LIMIT ?", runtime, limit
        )
        return [_read(row[0], DeployLog) for row in rows]

    # endpoints

    def endpoints(self, runtime: str | None = None) -> list[Endpoint]:
        if runtime is None:
            rows = self._do("SELECT body FROM endpoint ORDER BY runtime, name")
        else:
            rows = self._do("SELECT body FROM endpoint WHERE runtime = ? ORDER BY name", runtime)
        return [_read(row[0], Endpoint) for row in rows]

    def put_endpoint(self, endpoint: Endpoint) -> None:
        self._do(
            "INSERT INTO endpoint (runtime, name, body) VALUES (?, ?, ?)"
            " ON CONFLICT (runtime, name) DO UPDATE SET body = excluded.body",
            endpoint.runtime,
            endpoint.name,
            _body(endpoint),
        )

    def remove_endpoint(self, runtime: str, name: str) -> None:
        self._do("DELETE FROM endpoint WHERE runtime = ? AND name = ?", runtime, name)

    # gray releases

    def running_rollouts(self) -> list[Rollout]:
        return [_read(row[0], Rollout) for row in self._do("SELECT body FROM rollout WHERE running = 1")]

    def rollout(self, runtime: str) -> Rollout | None:
        """The last one of a runtime, whether it runs or not."""
        rows = self._do("SELECT body FROM rollout WHERE runtime = ? ORDER BY at DESC LIMIT 1", runtime)
        return _read(rows[0][0], Rollout) if rows else None

    def put_rollout(self, rollout: Rollout) -> None:
        self._do(
            "INSERT INTO rollout (runtime, id, running, at, body) VALUES (?, ?, ?, ?, ?)"
            " ON CONFLICT (runtime, id) DO UPDATE SET running = excluded.running, body = excluded.body",
            rollout.runtime,
            rollout.id,
            int(rollout.state in _RUNNING),
            rollout.steps[0].at,
            _body(rollout),
        )

    # secrets: names and revisions; the values are files

    def secrets(self) -> dict[str, tuple[int, float]]:
        """The newest revision of each, and when it was set."""
        rows = self._do("SELECT name, revision, created_at FROM secret WHERE current = 1 ORDER BY name")
        return {name: (revision, created_at) for name, revision, created_at in rows}

    def add_secret(self, name: str, at: float) -> SecretRef:
        """The next revision of a secret."""
        ((last,),) = self._do("SELECT COALESCE(MAX(revision), 0) FROM secret WHERE name = ?", name)
        self._do("UPDATE secret SET current = 0 WHERE name = ?", name)
        self._do(
            "INSERT INTO secret (name, revision, created_at, current) VALUES (?, ?, ?, 1)", name, last + 1, at
        )
        return SecretRef(name, last + 1)

    def retire_secret(self, name: str) -> None:
        """No new version gets it; those that have it keep it."""
        self._do("UPDATE secret SET current = 0 WHERE name = ?", name)

    # keys

    def keys(self) -> list[tuple[str, Key]]:
        """Each key's hash, and what is known of it."""
        rows = self._do("SELECT hash, body FROM access_key ORDER BY id")
        return [(row[0], _read(row[1], Key)) for row in rows]

    def put_key(self, hashed: str, key: Key) -> None:
        self._do(
            "INSERT INTO access_key (id, hash, body) VALUES (?, ?, ?)"
            " ON CONFLICT (id) DO UPDATE SET hash = excluded.hash, body = excluded.body",
            key.id,
            hashed,
            _body(key),
        )

    def remove_key(self, id: str) -> None:
        self._do("DELETE FROM access_key WHERE id = ?", id)

    # who did what

    def note(self, audit: Audit) -> None:
        self._do(
            "INSERT INTO audit (id, at, action, subject, who, detail) VALUES (?, ?, ?, ?, ?, ?)",
            ids.new("au_"),
            audit.at,
            audit.action,
            audit.subject,
            audit.who,
            audit.detail,
        )

    def audits(self, limit: int) -> list[Audit]:
        """The newest first."""
        rows = self._do(
            "SELECT at, action, subject, who, detail FROM audit ORDER BY at DESC, id LIMIT ?", limit
        )
        return [Audit(*row) for row in rows]


def _version(row: Row) -> Version:
    runtime, number, digest, created_at, definition, description, published_at = row
    return Version(
        runtime, number, digest, created_at, _read(definition, Definition), description, published_at
    )


def _read(body: Any, kind: type[Body]) -> Body:
    return msgspec.json.decode(body, type=kind)


def _body(value: msgspec.Struct) -> str:
    return msgspec.json.encode(value).decode()
