"""Database: the little that the store asks of one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol, TypeAlias

Row: TypeAlias = Sequence[Any]


class Database(Protocol):
    """One connection; `?` stands for a parameter."""

    def begin(self) -> None: ...

    def execute(self, sql: str, *parameters: Any) -> list[Row]:
        """The rows that a statement gives, if it gives any."""
        ...

    def commit(self) -> None: ...

    def rollback(self) -> None: ...

    def close(self) -> None: ...
