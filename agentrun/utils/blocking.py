"""Finds blocking calls in the source of an async function before it runs.

`time.sleep` or `requests.get` inside `async def` would hold up every other task of the loop. An agent that is
seen to do so is given a loop of its own for each Run.
"""

from __future__ import annotations

import dis
import inspect
from collections.abc import Iterator
from types import CodeType, FunctionType, ModuleType
from typing import Any

_BLOCKING = {
    ("time", "sleep"),
    ("requests", "*"),
    ("urllib.request", "urlopen"),
    ("subprocess", "run"),
    ("subprocess", "call"),
    ("subprocess", "check_call"),
    ("subprocess", "check_output"),
    ("os", "system"),
    ("builtins", "input"),
    ("socket", "create_connection"),
    ("httpx", "get"),
    ("httpx", "post"),
    ("httpx", "request"),
    ("httpx", "stream"),
}
# `asyncio.to_thread(time.sleep, 1)` names what blocks, and runs it elsewhere
_ELSEWHERE = frozenset(("to_thread", "run_sync", "run_in_executor", "submit", "Thread", "partial"))


def find(function: object, depth: int = 4) -> str | None:
    """`time.sleep at app.py:12` for the first blocking call in `function` or what it calls in its own module."""
    seen: set[CodeType] = set()
    return next(_search(_plain(function), depth, seen), None)


def _plain(function: object) -> FunctionType | None:
    function = inspect.unwrap(getattr(function, "func", function))  # type: ignore[arg-type]
    function = getattr(function, "__func__", function)
    if not isinstance(function, FunctionType):
        function = vars(type(function)).get("__call__")
    return function if isinstance(function, FunctionType) else None


def _search(function: FunctionType | None, depth: int, seen: set[CodeType]) -> Iterator[str]:
    if function is None or depth == 0:
        return
    module = function.__module__
    for code in _codes(function.__code__):
        if code in seen:
            continue
        seen.add(code)
        for value, name, line in _named(code, function.__globals__):
            if _blocks(value):
                yield f"{name} at {code.co_filename}:{line}"
            elif isinstance(value, FunctionType) and value.__module__ == module:
                yield from _search(value, depth - 1, seen)


def _codes(code: CodeType) -> Iterator[CodeType]:
    yield code
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _codes(constant)


def _named(code: CodeType, scope: dict[str, Any]) -> Iterator[tuple[object, str, int]]:
    """The values that a function names as `name` or `module.name`, imports inside the function included.

    Not those named right after a function that runs them elsewhere.
    """
    line, value, path = code.co_firstlineno, None, ""
    constant: object = None
    before = last = ""  # the name before this one
    local: dict[str, Any] = {}
    for step in dis.get_instructions(code):
        line = _line(step) or line
        name = step.argval
        if step.opname in ("LOAD_ATTR", "LOAD_METHOD"):
            last = name
        elif step.opname in ("LOAD_GLOBAL", "LOAD_NAME") or name in local:
            before, last = last, name
        if step.opname == "IMPORT_NAME":
            # `import a.b` gives a; `from a.b import c` looks into a.b
            path = name.partition(".")[0] if constant is None else name
            value = _imported(path)
        elif step.opname == "STORE_FAST" and isinstance(value, ModuleType):
            local[name] = value
        elif step.opname in ("LOAD_GLOBAL", "LOAD_NAME"):
            value, path = scope.get(name, vars(_imported("builtins")).get(name)), name
            if before not in _ELSEWHERE:
                yield value, path, line
        elif step.opname.startswith("LOAD_FAST") and name in local:
            value, path = local[name], name
        elif step.opname in ("LOAD_ATTR", "LOAD_METHOD", "IMPORT_FROM") and isinstance(value, ModuleType):
            value, path = vars(value).get(name), f"{path}.{name}"
            if before not in _ELSEWHERE:
                yield value, path, line
        elif step.opname not in ("PUSH_NULL", "CACHE", "RESUME", "NOP", "EXTENDED_ARG"):
            value = None
            if step.opname == "LOAD_CONST":
                constant = name


def _line(step: Any) -> int | None:
    """Where it stands; what tells this has changed between Python versions."""
    positions = getattr(step, "positions", None)
    return positions.lineno if positions is not None else step.starts_line


def _imported(name: str) -> ModuleType | None:
    import sys

    return sys.modules.get(name)


def _blocks(value: object) -> bool:
    if value is None or isinstance(value, ModuleType):
        return False
    module, name = getattr(value, "__module__", None), getattr(value, "__name__", None)
    if module is None or name is None:
        return False
    if (module, name) in _BLOCKING:
        return True
    package = str(module).partition(".")[0]
    return (package, "*") in _BLOCKING and name in (
        "get",
        "post",
        "put",
        "patch",
        "delete",
        "head",
        "request",
        "options",
        "Session",
    )
