"""Database: the little that the store asks of one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol, TypeAlias

Row: TypeAlias = Sequence[Any]


class Database(Protocol):
    """One connection, used by one thread; `?` stands for a parameter."""

    serial: str  # the type of a column that counts by itself
    holder: str  # the name of this process; it holds what it has begun

    def begin(self, *, writes: bool) -> None: ...

    def execute(self, sql: str, *parameters: Any) -> list[Row]:
        """The rows that a statement gives, if it gives any."""
        ...

    def commit(self) -> None: ...

    def rollback(self) -> None: ...

    def alone(self) -> None:
        """Until this transaction is over, others wait that want to be alone too."""
        ...

    def is_alive(self, holder: str) -> bool:
        """Whether the process of that name still goes on."""
        ...

    def close(self) -> None: ...


class ConnectionLost(Exception):
    """The connection is gone; another one may be had."""
