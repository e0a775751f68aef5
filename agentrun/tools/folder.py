"""A folder of texts as a tool: the passages that share the most telling words with a question. No index, no model."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import msgspec

from agentrun.errors import ConfigError
from agentrun.tools import functions
from agentrun.tools.spec import ToolsetSpec
from agentrun.tools.tool import Tool

_TEXTS = (".md", ".txt", ".rst")
_LARGEST, _MOST = 2_000_000, 20_000_000  # bytes of a file, and of all
_PASSAGE, _GIVEN = 1200, 5  # characters of a passage, and how many are given
# Okapi BM25, with its usual constants
_SATURATION, _LENGTHS = 1.2, 0.75
_WORD = re.compile(r"[\u3400-\u9fff]+|[^\W_\u3400-\u9fff]+")


class Passage(NamedTuple):
    """A piece of a file, and how often each word is in it."""

    source: str
    text: str
    words: Counter[str]


def tools_of(spec: ToolsetSpec, name: str, where: str) -> list[Tool]:
    """The one tool of a folder."""
    root = Path(spec.folder or "").expanduser().resolve()
    if not root.is_dir():
        raise ConfigError(f"{where}: there is no folder {root}.")
    known: tuple[object, list[Passage]] = (None, [])

    def search(query: str) -> str:
        nonlocal known
        files = list(_files(root))
        seen = [(path, path.stat().st_mtime_ns) for path in files]
        if known[0] != seen:
            known = (seen, [passage for path in files for passage in _passages(path, root)])
        return _told(best(query, known[1]))

    label = re.sub(r"\W", "_", name)
    tool = functions.tool_of(search, name=f"search_{label}")
    about = f"Search {name} for passages about a question. Use the words that an answer would have."
    return [msgspec.structs.replace(tool, description=about)]


def best(query: str, passages: list[Passage]) -> list[Passage]:
    """Those that have the query's words, the rarer the better; none where no word is known."""
    wanted = set(words(query))
    among = {word: sum(word in passage.words for passage in passages) for word in wanted}
    mean = sum(passage.words.total() for passage in passages) / len(passages) if passages else 1.0

    def score(passage: Passage) -> float:
        length = 1 - _LENGTHS + _LENGTHS * passage.words.total() / mean
        return sum(
            math.log(1 + (len(passages) - among[word] + 0.5) / (among[word] + 0.5))
            * (count * (_SATURATION + 1) / (count + _SATURATION * length))
            for word in wanted
            if (count := passage.words[word])
        )

    scored = [(score(passage), -position, passage) for position, passage in enumerate(passages)]
    return [passage for value, _, passage in sorted(scored, reverse=True)[:_GIVEN] if value > 0]


def words(text: str) -> Iterator[str]:
    """Words in lower case; of Chinese, which does not part them, each two characters that follow each other."""
    for word in _WORD.findall(text.lower()):
        if "\u3400" <= word[0] <= "\u9fff":
            yield from (word[start : start + 2] for start in range(max(1, len(word) - 1)))
        else:
            yield word


def _files(root: Path) -> Iterator[Path]:
    """The texts below a folder, in order; what a link leads out of it to is none of them."""
    left = _MOST
    for path in sorted(root.rglob("*")):
        hidden = any(part.startswith(".") for part in path.relative_to(root).parts)
        if hidden or path.suffix.lower() not in _TEXTS or not path.resolve().is_relative_to(root):
            continue
        size = path.stat().st_size if path.is_file() else _LARGEST + 1
        left -= size if size <= _LARGEST else 0
        if left < 0:
            return
        if size <= _LARGEST:
            yield path


def _passages(path: Path, root: Path) -> Iterator[Passage]:
    """Paragraphs, put together up to a length."""
    source, text = str(path.relative_to(root)), path.read_text("utf-8", "replace")
    piece = ""
    for paragraph in [*re.split(r"\n\s*\n", text), ""]:
        if piece and (not paragraph or len(piece) + len(paragraph) > _PASSAGE):
            yield Passage(source, piece, Counter(words(f"{path.stem} {piece}")))
            piece = ""
        piece = f"{piece}\n\n{paragraph}".strip()


def _told(found: list[Passage]) -> str:
    if not found:
        return "Nothing in it has these words."
    return "\n\n".join(f"[{passage.source}]\n{passage.text[: 2 * _PASSAGE]}" for passage in found)
