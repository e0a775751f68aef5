"""Values for a JSON Schema out of a question: arguments of a tool call, or a structured answer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from agentrun.models.builtin.programs import program
from agentrun.models.builtin.reading import Reading, Topic

Schema = Mapping[str, Any]
_DEEPEST = 8
_EXPRESSIONS = ("expression", "expr", "formula", "equation", "calculation", "算式", "表达式")
_CODE = ("code", "script", "source", "program", "代码")
_PLACES = ("city", "location", "place", "region", "country", "address", "城市", "地点", "地区")
_ZONES = ("timezone", "time_zone", "tz", "zone", "时区")
_ZONE_OF = {
    "北京": "Asia/Shanghai", "上海": "Asia/Shanghai", "东京": "Asia/Tokyo", "伦敦": "Europe/London",
    "巴黎": "Europe/Paris", "柏林": "Europe/Berlin", "纽约": "America/New_York", "新加坡": "Asia/Singapore",
    "beijing": "Asia/Shanghai", "shanghai": "Asia/Shanghai", "tokyo": "Asia/Tokyo", "london": "Europe/London",
    "paris": "Europe/Paris", "berlin": "Europe/Berlin", "new york": "America/New_York",
    "singapore": "Asia/Singapore", "sydney": "Australia/Sydney",
}  # fmt: skip


class Filler:
    """Fills schemas from one question; what it has used once, it does not use again."""

    def __init__(
        self, reading: Reading, root: Schema, *, topic: Topic | None = None, place: str | None = None
    ) -> None:
        self._reading = reading
        self._root = root
        self._topic = topic
        self._numbers = list(reading.numbers)
        self._quoted = list(reading.quoted)
        self._places = [place] if place is not None else list(reading.places)

    def fields(self, schema: Schema) -> dict[str, Any]:
        """Values for the properties of an object."""
        return self._object(self._plain(schema), 0)

    def value(self, name: str, schema: Schema, depth: int = 0) -> Any:
        """A value that fits the schema."""
        schema = self._plain(schema)
        if "const" in schema:
            return schema["const"]
        if schema.get("enum"):
            return self._choice(schema["enum"], schema)
        kind = schema.get("type")
        if isinstance(kind, list):
            kind = next((k for k in cast("list[str]", kind) if k != "null"), "null")
        match kind:
            case "object":
                return self._object(schema, depth)
            case "array":
                return self._array(name, schema, depth)
            case "integer":
                return int(self._number(schema))
            case "number":
                return self._number(schema)
            case "boolean":
                return schema.get("default", True)
            case "null":
                return None
            case _:
                if kind is None and "properties" in schema:
                    return self._object(schema, depth)
                return self._string(name, schema)

    def _plain(self, schema: Schema) -> Schema:
        """Without references and alternatives: the first that is not null."""
        for _ in range(_DEEPEST):
            if "$ref" in schema:
                schema = self._referred(str(schema["$ref"]))
            elif alternatives := schema.get("anyOf") or schema.get("oneOf") or schema.get("allOf"):
                chosen = next((a for a in alternatives if a.get("type") != "null"), alternatives[0])
                schema = {
                    **{k: v for k, v in schema.items() if k not in ("anyOf", "oneOf", "allOf")},
                    **chosen,
                }
            else:
                break
        return schema

    def _referred(self, reference: str) -> Schema:
        found: Any = self._root
        for key in reference.removeprefix("#/").split("/"):
            found = cast("dict[str, Any]", found).get(key, {}) if isinstance(found, dict) else {}
        return found

    def _object(self, schema: Schema, depth: int) -> dict[str, Any]:
        properties: dict[str, Schema] = schema.get("properties") or {}
        required: list[str] = schema.get("required") or []
        if depth > _DEEPEST:
            return {}
        return {
            name: self.value(name, inner, depth + 1)
            for name, inner in properties.items()
            if name in required or self._worth_giving(name, self._plain(inner))
        }

    def _worth_giving(self, name: str, schema: Schema) -> bool:
        """Whether the question says something about an optional field."""
        if _named(name, _PLACES) or _named(name, _ZONES):
            return bool(self._places)
        if _named(name, _EXPRESSIONS):
            return self._reading.expression is not None
        return any(str(option).lower() in self._reading.text.lower() for option in schema.get("enum") or ())

    def _array(self, name: str, schema: Schema, depth: int) -> list[Any]:
        items: Schema = schema.get("items") or {"type": "string"}
        inner = self._plain(items)
        if inner.get("type") in ("number", "integer") and self._numbers:
            taken, self._numbers = self._numbers, []
            return [int(number) for number in taken] if inner["type"] == "integer" else list(taken)
        if depth > _DEEPEST:
            return []
        return [self.value(name, items, depth + 1) for _ in range(max(1, schema.get("minItems") or 1))]

    def _choice(self, options: list[Any], schema: Schema) -> Any:
        text = self._reading.text.lower()
        spoken = [option for option in options if str(option).lower() in text]
        return spoken[0] if spoken else schema.get("default", options[0])

    def _number(self, schema: Schema) -> float | int:
        if self._numbers:
            number = self._numbers.pop(0)
        else:
            number = schema.get("default") or schema.get("minimum") or 1
        low, high = schema.get("minimum"), schema.get("maximum")
        number = number if low is None else max(low, number)
        return number if high is None else min(high, number)

    def _string(self, name: str, schema: Schema) -> str:
        reading = self._reading
        if _named(name, _CODE):
            return program(reading)
        if _named(name, ("language", "lang", "语言")) and self._topic is Topic.CODE:
            return str(schema.get("default") or "python")
        if _named(name, _EXPRESSIONS) or (self._topic is Topic.MATH and reading.expression is not None):
            return reading.expression or reading.text
        if _named(name, _ZONES):
            place = self._places[0].lower() if self._places else ""
            return _ZONE_OF.get(place, str(schema.get("default") or "UTC"))
        if _named(name, _PLACES) and self._places:
            return self._places.pop(0) if len(self._places) > 1 else self._places[0]
        if self._quoted:
            return self._quoted.pop(0)
        if schema.get("default") is not None:
            return str(schema["default"])
        return _asked(reading.text)


def _named(name: str, words: tuple[str, ...]) -> bool:
    name = name.lower()
    return name in words or any(name.endswith(("_" + word, word)) for word in words if len(word) > 3)


def _asked(text: str) -> str:
    """What is asked for, without the words that ask."""
    lowered = text.lower()
    for words in (
        "please search for ",
        "search for ",
        "search the web for ",
        "search ",
        "look up ",
        "find out ",
        "请搜索",
        "搜索",
        "查一下",
        "帮我查",
    ):
        if lowered.startswith(words):
            text = text[len(words) :]
            break
    return text.strip("?？。.!！ ")
