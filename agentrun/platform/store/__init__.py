"""Where the platform's resources are kept: SQLite, or PostgreSQL by its URL; the same SQL on both."""

from agentrun.platform.store.records import Audit, Records
from agentrun.platform.store.store import Store, open_store

__all__ = ["Audit", "Records", "Store", "open_store"]
