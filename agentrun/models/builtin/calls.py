"""Which of the offered tools a question calls for, and with which arguments."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from agentrun.models.builtin.filling import Filler
from agentrun.models.builtin.reading import Reading, Topic, words_of

_MOST_CALLS = 4
_ENOUGH_IN_COMMON = 2

# What the name or description of a tool for each topic says; the order is that of trust in the match.
_TOOLS: dict[Topic, re.Pattern[str]] = {
    Topic.CODE: re.compile(r"run_?code|exec\w*_?code|code_?interpreter|python|run_?script|代码"),
    Topic.TIME: re.compile(r"(?<![a-z])(time|clock|date|now)(?![a-z])|时间|日期"),
    Topic.WEATHER: re.compile(r"weather|forecast|temperature|天气|气温"),
    Topic.MATH: re.compile(
        r"calc|arithmetic|(?<![a-z])(math|evaluate|compute|add|sum|multiply|subtract|divide)|计算|算术"
    ),
    Topic.SEARCH: re.compile(r"search|look_?up|retriev|browse|搜索|检索|查询"),
}
_OPERATIONS = (
    ("add", r"\+|\bplus\b|\badd\b|\bsum\b|加"),
    ("sum", r"\+|\bplus\b|\badd\b|\bsum\b|加|和"),
    ("subtract", r"-|\bminus\b|\bsubtract\b|减"),
    ("multiply", r"\*|×|\btimes\b|\bmultipl\w+|乘"),
    ("divide", r"/|÷|\bdivided?\b|除"),
    ("power", r"\^|\bpower\b|次方"),
)


class ToolCall(msgspec.Struct, frozen=True):
    """A call to be made."""

    name: str
    arguments: dict[str, Any]


class Offered(msgspec.Struct, frozen=True):
    """A tool as the request declares it."""

    name: str
    description: str
    parameters: Mapping[str, Any]

    @property
    def described(self) -> str:
        return f"{self.name} {self.description}".lower()

    def is_for(self, topic: Topic) -> bool:
        """By its name, or else by the beginning of its description."""
        pattern = _TOOLS[topic]
        return bool(pattern.search(self.name.lower()) or pattern.search(self.description.lower()[:120]))


def offered(tools: Sequence[Mapping[str, Any]]) -> list[Offered]:
    """The functions among the tools of a request."""
    found: list[Offered] = []
    for tool in tools:
        function: Mapping[str, Any] = tool.get("function") or {}
        if function.get("name"):
            found.append(
                Offered(function["name"], function.get("description") or "", function.get("parameters") or {})
            )
    return found


def plan(
    reading: Reading, tools: Sequence[Offered], *, forced: str | None = None, required: bool = False
) -> list[ToolCall]:
    """The calls to make now; none if no tool fits. `forced` names the one that has to be called."""
    if forced is not None:
        chosen = [tool for tool in tools if tool.name == forced]
        return [_call(tool, reading, None) for tool in chosen[:1]]
    named = [tool for tool in tools if _is_named(tool, reading)]
    if named:
        return [_call(tool, reading, _topic(tool)) for tool in named[:_MOST_CALLS]]
    calls = _by_topic(reading, tools) or _by_words(reading, tools)
    if not calls and required and tools:
        calls = [_call(tools[0], reading, _topic(tools[0]))]
    return calls[:_MOST_CALLS]


def _is_named(tool: Offered, reading: Reading) -> bool:
    spelled = re.escape(tool.name).replace("_", "[_ ]")
    return (
        len(tool.name) > 3
        and ("_" in tool.name or len(tool.name) > 9)
        and bool(re.search(rf"(?<![\w]){spelled}(?![\w])", reading.text, re.IGNORECASE))
    )


def _by_topic(reading: Reading, tools: Sequence[Offered]) -> list[ToolCall]:
    code = _code_tool(tools)
    if Topic.CODE in reading.topics and code is not None:
        return [_call(code, reading, Topic.CODE)]
    calls: list[ToolCall] = []
    for topic in reading.topics:
        tool = _for_topic(topic, reading, tools)
        if tool is None and topic in (Topic.TIME, Topic.MATH):
            tool, topic = code, Topic.CODE
        if tool is None:
            continue
        if len(reading.places) > 1 and topic in (Topic.WEATHER, Topic.TIME):
            calls += [_call(tool, reading, topic, place) for place in reading.places]
        else:
            calls.append(_call(tool, reading, topic))
    return calls


def _for_topic(topic: Topic, reading: Reading, tools: Sequence[Offered]) -> Offered | None:
    """The tool for a topic; a match in the name is better than one in the description."""
    fitting = [
        tool for tool in tools if tool.is_for(topic) and not (topic is not Topic.CODE and _is_code(tool))
    ]
    if topic is Topic.MATH:
        fitting = [tool for tool in fitting if not _is_operation(tool)] or _for_operation(reading, fitting)
    fitting.sort(key=lambda tool: _TOOLS[topic].search(tool.name.lower()) is None)
    return fitting[0] if fitting else None


def _for_operation(reading: Reading, tools: Sequence[Offered]) -> list[Offered]:
    """Of tools such as `add` and `multiply`, the one that does what is asked, if that is one thing."""
    text = (reading.expression or reading.text).lower().replace("**", "^")
    done = [name for name, words in _OPERATIONS if re.search(words, text)]
    several = reading.expression is not None and len(re.findall(r"[-+*/^]", text)) > 1
    return [] if several else [tool for tool in tools if any(name in tool.name.lower() for name in done)]


def _is_operation(tool: Offered) -> bool:
    return any(name in tool.name.lower() for name, _ in _OPERATIONS)


def _code_tool(tools: Sequence[Offered]) -> Offered | None:
    fitting = [tool for tool in tools if _is_code(tool)]
    return fitting[0] if fitting else None


def _is_code(tool: Offered) -> bool:
    """It runs code only if it takes some."""
    properties: Mapping[str, Any] = tool.parameters.get("properties") or {}
    return any(name in properties for name in ("code", "script", "source")) and tool.is_for(Topic.CODE)


def _by_words(reading: Reading, tools: Sequence[Offered]) -> list[ToolCall]:
    """The tool that speaks of the same things as the question, if one clearly does."""
    asked = reading.words()
    scored = [(_in_common(asked, tool), -position, tool) for position, tool in enumerate(tools)]
    if not scored:
        return []
    score, _, tool = max(scored, key=lambda item: item[:2])
    return [_call(tool, reading, None)] if score >= _ENOUGH_IN_COMMON else []


def _in_common(asked: set[str], tool: Offered) -> int:
    """A word of its name counts twice."""
    return 2 * len(asked & words_of(tool.name)) + len(asked & words_of(tool.description))


def _topic(tool: Offered) -> Topic | None:
    if _is_code(tool):
        return Topic.CODE
    return next((topic for topic in _TOOLS if tool.is_for(topic)), None)


def _call(tool: Offered, reading: Reading, topic: Topic | None, place: str | None = None) -> ToolCall:
    filler = Filler(reading, tool.parameters, topic=topic, place=place)
    return ToolCall(tool.name, filler.fields({"type": "object", **tool.parameters}))
