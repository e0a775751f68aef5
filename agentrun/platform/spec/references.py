"""`${vars.x}` and `${env(X)}` in s.yaml: looked up, and which of them came from the environment."""

from __future__ import annotations

import re
from collections.abc import Callable
from difflib import get_close_matches
from typing import Any, cast

from agentrun.errors import ConfigError
from agentrun.utils.yaml import Document, Keys

_EXPRESSION = re.compile(r"\$\{([^}\n]*)\}")
_VARIABLE = re.compile(r"vars\.([\w.-]+)")
_ENVIRONMENT = re.compile(r"env\(\s*['\"]?(\w+)['\"]?\s*(?:,\s*['\"]?([^'\")]*)['\"]?\s*)?\)|env:(\w+)")
_ACCOUNT = re.compile(r"config\(\s*['\"]?\w+['\"]?\s*\)")

# In `[${env(X)}]` YAML takes the braces for a mapping's; so it reads a mark in place of each reference.
_OPEN, _CLOSE = "\ue000", "\ue001"
_MARK = re.compile(f"{_OPEN}(\\d+){_CLOSE}")


def document_of(text: str, name: str) -> Document:
    """The text as a document, in which a reference may stand anywhere a value may."""
    found: list[str] = []

    def mark(match: re.Match[str]) -> str:
        found.append(match[0])
        return f"{_OPEN}{len(found) - 1}{_CLOSE}"

    document = Document(_EXPRESSION.sub(mark, text.replace(_OPEN, "")), name)
    document.data = _unmarked(document.data, found)
    return document


def _unmarked(value: Any, found: list[str]) -> Any:
    if isinstance(value, str):
        return _MARK.sub(lambda match: found[int(match[1])], value)
    if isinstance(value, dict):
        fields = cast("dict[Any, Any]", value)
        return {key: _unmarked(inner, found) for key, inner in fields.items()}
    if isinstance(value, list):
        return [_unmarked(inner, found) for inner in cast("list[Any]", value)]
    return value


class References:
    """Looks up what the values of a document refer to."""

    def __init__(self, document: Document, look_up: Callable[[str], str | None]) -> None:
        self._document = document
        self._look_up = look_up
        data: object = document.data
        declared: object = cast("dict[str, Any]", data).get("vars") if isinstance(data, dict) else None
        self._vars = cast("dict[str, Any]", declared) if isinstance(declared, dict) else {}
        self._open: list[str] = []
        self.from_environment: set[Keys] = set()

    def resolve(self, value: Any, keys: Keys, *, skip: frozenset[str] = frozenset()) -> Any:
        """The value with its references looked up; what stands under a key of `skip` is left as it is."""
        if isinstance(value, str):
            return self._text(value, keys)
        if isinstance(value, dict):
            fields = cast("dict[Any, Any]", value)
            return {
                key: inner if key in skip else self.resolve(inner, (*keys, key), skip=skip)
                for key, inner in fields.items()
            }
        if isinstance(value, list):
            items = cast("list[Any]", value)
            return [self.resolve(inner, (*keys, at), skip=skip) for at, inner in enumerate(items)]
        return value

    def _text(self, text: str, keys: Keys) -> Any:
        whole = _EXPRESSION.fullmatch(text)
        if whole:
            return self._expression(whole[1].strip(), keys)
        return _EXPRESSION.sub(lambda match: str(self._expression(match[1].strip(), keys)), text)

    def _expression(self, expression: str, keys: Keys) -> Any:
        if match := _VARIABLE.fullmatch(expression):
            return self._variable(match[1], keys)
        if match := _ENVIRONMENT.fullmatch(expression):
            return self._environment(match[1] or match[3], match[2], keys)
        if _ACCOUNT.fullmatch(expression):
            return "local"  # an account of a cloud's, which nothing here asks for
        raise ConfigError(
            f"{self._document.where(keys)}: ${{{expression}}} means nothing.",
            hint="There are ${vars.name}, which stands under vars:, and ${env(NAME)}, which reads the environment.",
        )

    def _variable(self, path: str, keys: Keys) -> Any:
        found: Any = self._vars
        for name in path.split("."):
            known = cast("dict[str, Any]", found) if isinstance(found, dict) else dict[str, Any]()
            if name not in known:
                raise self._unknown(path, name, list(known), keys)
            found = known[name]
        return self._inside(path, found)

    def _inside(self, path: str, value: Any) -> Any:
        """A variable may refer to others, but not to itself."""
        keys: Keys = ("vars", *path.split("."))
        if path in self._open:
            raise ConfigError(f"{self._document.where(keys)}: vars.{path} refers to itself.")
        self._open.append(path)
        try:
            return self.resolve(value, keys)
        finally:
            self._open.pop()

    def _unknown(self, path: str, name: str, known: list[str], keys: Keys) -> ConfigError:
        near = get_close_matches(name, known, 1)
        hint = f"Did you mean {near[0]}?" if near else f"Add {name}: under vars:."
        return ConfigError(
            f"{self._document.where(keys)} refers to ${{vars.{path}}}, which is not there.", hint=hint
        )

    def _environment(self, name: str, default: str | None, keys: Keys) -> str:
        found = self._look_up(name)
        self.from_environment.add(keys)
        if found is None and default is None:
            raise ConfigError(
                f"{self._document.where(keys)} refers to ${{env({name})}}, which is not set.",
                hint=f"Run: export {name}=..., or put it into .env.",
            )
        return found if found is not None else str(default)
