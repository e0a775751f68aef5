"""YAML that knows where it was written: a mistake in a file can be answered with the file and the line."""

from __future__ import annotations

from collections.abc import Hashable
from pathlib import Path
from typing import Any, TypeAlias, cast

import yaml

Keys: TypeAlias = "tuple[str | int, ...]"


class YamlError(ValueError):
    """The text is no YAML, or says the same thing twice; `line` is where."""

    def __init__(self, message: str, line: int) -> None:
        super().__init__(message)
        self.line = line


class Document:
    """A YAML file as plain data, and the line of every key in it."""

    def __init__(self, text: str, name: str = "agentrun.yaml") -> None:
        self.name = name
        self._lines: dict[Keys, int] = {(): 1}
        loader = yaml.SafeLoader(text)
        try:
            node = loader.get_single_node()
            self.data: Any = None if node is None else self._build(loader, node, ())
        except yaml.MarkedYAMLError as error:
            line = error.problem_mark.line + 1 if error.problem_mark else 1
            raise YamlError(error.problem or "it is no YAML", line) from None
        finally:
            loader.dispose()  # pyright: ignore[reportUnknownMemberType]

    @classmethod
    def read(cls, path: Path, name: str | None = None) -> Document:
        return cls(path.read_text(encoding="utf-8"), name or path.name)

    def line(self, keys: Keys) -> int:
        """The line of a key, or of the nearest one around it."""
        while keys not in self._lines:
            keys = keys[:-1]
        return self._lines[keys]

    def where(self, keys: Keys) -> str:
        """`agentrun.yaml:3`"""
        return f"{self.name}:{self.line(keys)}"

    def _build(self, loader: yaml.SafeLoader, node: yaml.Node, keys: Keys) -> Any:
        if isinstance(node, yaml.MappingNode):
            return self._mapping(loader, node, keys)
        if isinstance(node, yaml.SequenceNode):
            items: list[Any] = []
            for position, item in enumerate(cast("list[yaml.Node]", node.value)):
                self._lines[(*keys, position)] = item.start_mark.line + 1
                items.append(self._build(loader, item, (*keys, position)))
            return items
        return cast("Any", loader.construct_object(node))  # pyright: ignore[reportUnknownMemberType]

    def _mapping(self, loader: yaml.SafeLoader, node: yaml.MappingNode, keys: Keys) -> dict[Any, Any]:
        written = len(cast("list[Any]", node.value))
        loader.flatten_mapping(node)
        pairs = cast("list[tuple[yaml.Node, yaml.Node]]", node.value)
        merged = len(pairs) - written  # what `<<` brought stands first and may be said again
        found: dict[Any, Any] = {}
        for position, (key_node, value_node) in enumerate(pairs):
            key = cast("Hashable", loader.construct_object(key_node))  # pyright: ignore[reportUnknownMemberType]
            line = key_node.start_mark.line + 1
            if key in found and position > merged:
                raise YamlError(f"{key} is there twice", line)
            inner = (*keys, cast("str | int", key))
            self._lines[inner] = line
            found[key] = self._build(loader, value_node, inner)
        return found
