"""What a question has in it: its language, numbers, an expression, places, code, and what it is about."""

from __future__ import annotations

import re
from enum import Enum

from agentrun.models.builtin import arithmetic

_CHINESE = re.compile(r"[\u4e00-\u9fff]")
_NUMBER = re.compile(r"(?<![A-Za-z0-9_.])(?:(?<!\d)-)?\d+(?:\.\d+)?")
_QUOTED = re.compile(r"[\"“「'‘]([^\"”」'’]{1,200})[\"”」'’]")
_FENCE = re.compile(r"```(?:\w+)?\n(.*?)```", re.DOTALL)
_EXPRESSION = re.compile(r"[-+(]*\s*\d[\d\s.,+\-*/×÷^%()xX]*[\d)]")
_IN_PLACE = re.compile(r"\b(?:in|for|at|of|near)\s+((?:[A-Z][\w'-]+)(?:\s+[A-Z][\w'-]+)*)")
_CITIES = (
    "北京 上海 广州 深圳 杭州 南京 成都 重庆 武汉 西安 天津 苏州 香港 台北 东京 大阪 首尔 新加坡 "
    "伦敦 巴黎 柏林 纽约 洛杉矶 旧金山 悉尼 莫斯科"
).split()
_NO_PLACES = frozenset(
    "utc gmt monday tuesday wednesday thursday friday saturday sunday python javascript i english chinese".split()
)


class Topic(Enum):
    """What a question can be about; tools are sorted by the same names."""

    CODE = "code"
    TIME = "time"
    MATH = "math"
    WEATHER = "weather"
    SEARCH = "search"


_TOPICS: tuple[tuple[Topic, re.Pattern[str]], ...] = (
    (
        Topic.CODE,
        re.compile(
            r"\b(code|script|program|fibonacci|primes?|random|simulate|factorial|(?:in|with|using|run) python)\b|```"
            r"|用 ?python|代码|编程|程序|脚本|斐波那契|素数|质数|随机|阶乘",
            re.IGNORECASE,
        ),
    ),
    (
        Topic.TIME,
        re.compile(
            r"\bwhat(?:'s| is)? (?:the )?(?:current )?(?:time|date)\b|\bcurrent (?:time|date)\b|\btime is it\b"
            r"|\bwhat day\b|\btoday'?s date\b|\btime (?:now|in)\b|几点|现在的?时间|当前时间|什么时间|几号|日期|星期几",
            re.IGNORECASE,
        ),
    ),
    (
        Topic.WEATHER,
        re.compile(r"\b(weather|forecast|temperature|rain\w*|sunny)\b|天气|气温|下雨|温度", re.IGNORECASE),
    ),
    (
        Topic.SEARCH,
        re.compile(
            r"\b(search|look up|find out|google|news|latest)\b|搜索|查一下|查找|检索|新闻|最新", re.IGNORECASE
        ),
    ),
)
_COUNTING = re.compile(
    r"\b(calculate|compute|plus|minus|times|multipl\w+|divided?|sum|add|subtract|square root)\b"
    r"|计算|算一下|加上|减去|乘以|除以|等于|求和|之和|乘积|平方",
    re.IGNORECASE,
)


class Reading:
    """One question, read once."""

    def __init__(self, text: str) -> None:
        self.text = text.strip()
        self.chinese = _CHINESE.search(text) is not None
        self.numbers: list[float | int] = [
            float(number) if "." in number else int(number) for number in _NUMBER.findall(self.text)
        ]
        self.quoted: list[str] = _QUOTED.findall(self.text)
        fence = _FENCE.search(self.text)
        self.code: str | None = fence[1].strip() if fence else None
        self.expression = _expression(self.text)
        self.places = _places(self.text)
        self.topics = self._topics()

    def _topics(self) -> list[Topic]:
        found = [topic for topic, words in _TOPICS if words.search(self.text)]
        counts = _COUNTING.search(self.text) is not None and len(self.numbers) > 1
        if self.expression is not None or counts:
            found.append(Topic.MATH)
        return found

    def words(self) -> set[str]:
        """What it says, for comparison with what a tool says of itself."""
        return words_of(self.text)


def words_of(text: str) -> set[str]:
    """Lower-case words, and pairs of Chinese characters; without those that say nothing."""
    apart = re.sub(r"([a-z])([A-Z])", r"\1 \2", text).lower()
    words = {word.rstrip("s") for word in re.findall(r"[a-z]{3,}", apart)} - _EMPTY
    chinese = "".join(_CHINESE.findall(text))
    return words | {chinese[at : at + 2] for at in range(len(chinese) - 1)}


_EMPTY = frozenset(
    "the and for with what how who why when where can could would you your please tell are was this that from into "
    "give get have has let use using tool return call about some any all does did our out not now run make need want "
    "answer question user agent thi doe ha wa".split()
)


def _expression(text: str) -> str | None:
    """The longest piece that can be worked out and has an operator in it."""
    plain = _spelled_out(text)
    pieces = sorted(_EXPRESSION.findall(plain), key=len, reverse=True)
    for piece in pieces:
        cleaned = arithmetic.clean(piece)
        if arithmetic.has_operator(cleaned) and arithmetic.value(cleaned) is not None:
            return cleaned
    return None


_SPELLED = (
    (r"\bplus\b|加上|加", " + "),
    (r"\bminus\b|减去|减", " - "),
    (r"\btimes\b|\bmultiplied by\b|乘以|乘", " * "),
    (r"\bdivided by\b|除以", " / "),
    (r"\bto the power of\b", " ** "),
    (r"的(\d+)次方", r" ** \1"),
)


def _spelled_out(text: str) -> str:
    for words, sign in _SPELLED:
        text = re.sub(words, sign, text, flags=re.IGNORECASE)
    return re.sub(r"\s+", " ", text)


def _places(text: str) -> list[str]:
    chinese = sorted((text.index(city), city) for city in _CITIES if city in text)
    if chinese:
        return [city for _, city in chinese]
    found: list[str] = []
    for match in _IN_PLACE.finditer(text):
        tail = text[match.end() :]
        found.append(match[1])
        found += re.findall(r"\A(?:,\s*|\s+and\s+|,\s*and\s+)([A-Z][\w'-]+)", tail)
    return [place for place in dict.fromkeys(found) if place.lower() not in _NO_PLACES]
