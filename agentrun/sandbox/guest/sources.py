"""The text of the cells, for tracebacks and `inspect`: they look for it in `linecache`, which is loaded when somebody first wants it."""

from __future__ import annotations

import sys

from .hints import Any
from .slim import machinery

_NAME = "linecache"


class Sources:
    """Stands in the way of imports until that one comes."""

    def __init__(self) -> None:
        self._waiting: dict[str, Any] = {}
        if _NAME not in sys.modules:
            sys.meta_path.insert(0, self)

    def add(self, name: str, text: str) -> None:
        """Have it found under this name."""
        entry = (len(text), None, text.splitlines(keepends=True), name)
        loaded = sys.modules.get(_NAME)
        known: dict[str, Any] = self._waiting if loaded is None else loaded.cache
        known[name] = entry

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> Any:
        """As the import system asks: linecache as it is, with the cells in it once it is loaded."""
        if name != _NAME:
            return None
        sys.meta_path.remove(self)
        found: Any = machinery.PathFinder.find_spec(name)
        load = found.loader.exec_module

        def load_and_fill(module: Any) -> None:
            load(module)
            module.cache.update(self._waiting)

        found.loader.exec_module = load_and_fill
        return found
