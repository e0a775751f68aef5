"""The tables. What a version is is written once and never again; only its label changes."""

from __future__ import annotations

from agentrun.errors import ConfigError
from agentrun.platform.store.database import Database

SCHEMA = 1
_TABLES = (
    "CREATE TABLE IF NOT EXISTS setting (name TEXT PRIMARY KEY, body TEXT NOT NULL)",
    "CREATE TABLE IF NOT EXISTS runtime (name TEXT PRIMARY KEY, body TEXT NOT NULL)",
    """CREATE TABLE IF NOT EXISTS version (
        runtime TEXT NOT NULL REFERENCES runtime(name), number BIGINT NOT NULL, digest TEXT NOT NULL,
        created_at DOUBLE PRECISION NOT NULL, definition TEXT NOT NULL,
        description TEXT NOT NULL, published_at DOUBLE PRECISION, PRIMARY KEY (runtime, number))""",
    """CREATE TABLE IF NOT EXISTS endpoint (
        runtime TEXT NOT NULL REFERENCES runtime(name), name TEXT NOT NULL, body TEXT NOT NULL,
        PRIMARY KEY (runtime, name))""",
    """CREATE TABLE IF NOT EXISTS rollout (
        runtime TEXT NOT NULL REFERENCES runtime(name), id TEXT NOT NULL, running BIGINT NOT NULL,
        at DOUBLE PRECISION NOT NULL, body TEXT NOT NULL, PRIMARY KEY (runtime, id))""",
    "CREATE UNIQUE INDEX IF NOT EXISTS one_rollout ON rollout (runtime) WHERE running = 1",
    """CREATE TABLE IF NOT EXISTS secret (
        name TEXT NOT NULL, revision BIGINT NOT NULL, created_at DOUBLE PRECISION NOT NULL,
        current BIGINT NOT NULL, PRIMARY KEY (name, revision))""",
    "CREATE TABLE IF NOT EXISTS access_key (id TEXT PRIMARY KEY, hash TEXT NOT NULL UNIQUE, body TEXT NOT NULL)",
    """CREATE TABLE IF NOT EXISTS audit (
        id TEXT PRIMARY KEY, at DOUBLE PRECISION NOT NULL, action TEXT NOT NULL, subject TEXT NOT NULL,
        who TEXT NOT NULL, detail TEXT NOT NULL)""",
    "CREATE TABLE IF NOT EXISTS deploy_log (number BIGINT PRIMARY KEY, runtime TEXT NOT NULL, body TEXT NOT NULL)",
    "CREATE INDEX IF NOT EXISTS audit_at ON audit (at)",
)


def prepare(database: Database) -> None:
    """Make what is missing; refuse what a newer AgentRun has made."""
    database.begin()
    try:
        for statement in _TABLES:
            database.execute(statement)
        database.execute(
            "INSERT INTO setting (name, body) VALUES (?, ?) ON CONFLICT (name) DO NOTHING",
            "schema",
            str(SCHEMA),
        )
        ((found,),) = database.execute("SELECT body FROM setting WHERE name = ?", "schema")
        database.commit()
    except BaseException:
        database.rollback()
        raise
    if int(found) > SCHEMA:
        raise ConfigError(
            f"The platform's store is of a newer AgentRun (schema {found}; this one knows {SCHEMA}).",
            hint="Update AgentRun.",
        )
