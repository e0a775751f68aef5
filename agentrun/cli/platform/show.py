"""Answers as people read them: names and values under each other, lists as tables."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from typing import Any, cast

import msgspec
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from agentrun.cli import output

_WIDE = 400


def plain(value: object) -> Any:
    """What JSON holds of a Struct."""
    return msgspec.json.decode(msgspec.json.encode(value))


def answer(value: object, *, as_json: bool, name: str | None = None) -> None:
    """One thing; under its name for people."""
    found = plain(value)
    if as_json:
        output.data(found)
    else:
        print("\n".join(_lines({name: found} if name else found, 0)))


def listing(values: Sequence[object], *, as_json: bool, empty: str, without: Sequence[str] = ()) -> None:
    """Several things of one kind. People are spared what is in `without`."""
    rows = [cast("dict[str, Any]", plain(value)) for value in values]
    if as_json:
        output.data(rows)
    elif not rows:
        output.note(empty)
    else:
        _table(rows, without)


def _table(rows: list[dict[str, Any]], without: Sequence[str]) -> None:
    names = [
        name for name in rows[0] if name not in without and any(_is_short(row.get(name)) for row in rows)
    ]
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for name in names:
        table.add_column(name, overflow="fold")
    for row in rows:
        table.add_row(*(Text(_word(row.get(name))) for name in names))
    # what reads a pipe can take lines of any length
    Console(width=None if sys.stdout.isatty() else _WIDE).print(table)


def _is_short(value: object) -> bool:
    return value not in (None, "") and not isinstance(value, (dict, list))


def _word(value: object) -> str:
    return "" if value is None or isinstance(value, (dict, list)) else _scalar(value)


def _scalar(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _lines(value: Mapping[str, Any], depth: int) -> list[str]:
    shown = {name: inner for name, inner in value.items() if inner not in (None, "", [], {})}
    width = max((len(name) + 1 for name, inner in shown.items() if _is_short(inner)), default=0)
    indent, lines = "  " * depth, list[str]()
    for name, inner in shown.items():
        if isinstance(inner, dict):
            lines += [f"{indent}{name}:", *_lines(cast("dict[str, Any]", inner), depth + 1)]
        elif isinstance(inner, list):
            lines += [f"{indent}{name}:", *_items(cast("list[Any]", inner), depth + 1)]
        else:
            lines.append(f"{indent}{name + ':':{width}} {_scalar(inner)}")
    return lines


def _items(items: list[Any], depth: int) -> list[str]:
    indent, lines = "  " * depth, list[str]()
    for item in items:
        if isinstance(item, dict):
            first, *rest = _lines(cast("dict[str, Any]", item), 0) or ["-"]
            lines += [f"{indent}- {first}", *(f"{indent}  {line}" for line in rest)]
        else:
            lines.append(f"{indent}- {_scalar(item)}")
    return lines
