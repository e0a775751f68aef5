"""A Dockerfile that is read, not built: how its program starts, with what, where. Pure.

There is no container engine here. What a Dockerfile says of a program can be had without one, as long as it only copies the
project, installs what requirements.txt or package.json name, and starts the program. A line that asks for more is refused.
"""

from __future__ import annotations

import json
import re
import shlex
import sys
from collections.abc import Iterator
from typing import NamedTuple, cast

import msgspec

from agentrun.cli.mcp_platform import shell
from agentrun.errors import ConfigError
from agentrun.resources import HealthCheck

_MEANINGLESS = ("ARG", "LABEL", "MAINTAINER", "USER", "VOLUME", "STOPSIGNAL")
_INSTALLS = re.compile(
    r"npm (ci|install|i)( --?[\w=-]+)*"
    r"|(python3? -m )?pip3? install( --?[\w=-]+)* (-r|--requirement) \S*requirements\.txt( --?[\w=-]+)*"
    r"|(python3? -m )?pip3? install( --?[\w=-]+)* (--upgrade|-U) pip"
)
_SECONDS = {"ms": 0.001, "s": 1, "m": 60, "h": 3600}
_HERE_INSTEAD = (
    "Only copies of the project and installs of requirements.txt or package.json are done here; "
    "what else it needs has to be on this machine. Or give EntryPoint, which needs no Dockerfile."
)


class Recipe(msgspec.Struct):
    """What a Dockerfile says of its program."""

    language: str = "custom"
    folder: str = "/"
    entry_point: list[str] = []
    cmd: list[str] = []
    variables: dict[str, str] = {}
    port: int | None = None
    health: HealthCheck | None = None

    @property
    def command(self) -> tuple[str, ...]:
        """How it starts, from the project's folder."""
        inside = self.folder.rstrip("/") + "/"
        return tuple(word.removeprefix(inside) for word in (*self.entry_point, *self.cmd))


class _Line(NamedTuple):
    number: int
    word: str
    rest: str


def read(text: str, name: str = "Dockerfile") -> Recipe:
    """What the file says; a ConfigError names the line that cannot be had here."""
    recipe, stages = Recipe(), 0
    for line in _lines(text):
        place = f"{name}:{line.number}"
        stages += line.word == "FROM"
        if stages > 1:
            raise ConfigError(f"{place}: a second stage is of no use without a build.", hint=_HERE_INSTEAD)
        try:
            _take(recipe, line, place)
        except (ValueError, IndexError):
            raise ConfigError(f"{place}: {line.word} {line.rest!r} cannot be read.") from None
    if stages == 0:
        raise ConfigError(f"{name} has no FROM.", hint="Is it a Dockerfile?")
    if not recipe.command:
        raise ConfigError(f"{name} does not say how the program starts.", hint='Add CMD ["node", "app.js"].')
    return recipe


def _take(recipe: Recipe, line: _Line, place: str) -> None:
    match line.word:
        case "FROM":
            recipe.language = _language(line.rest)
        case "WORKDIR":
            recipe.folder = line.rest
        case "COPY" | "ADD":
            _check_copy(line.rest, recipe.folder, place)
        case "RUN":
            _check_run(line.rest, place)
        case "ENV":
            recipe.variables.update(_variables(line.rest))
        case "EXPOSE":
            recipe.port = int(re.sub(r"\D.*", "", line.rest) or 0) or None
        case "CMD":
            recipe.cmd = _words(line.rest)
        case "ENTRYPOINT":
            recipe.entry_point = _words(line.rest)
        case "HEALTHCHECK":
            recipe.health = _health(line.rest)
        case word if word in _MEANINGLESS:
            pass
        case word:
            raise ConfigError(f"{place}: {word} cannot be had without a build.", hint=_HERE_INSTEAD)


def _lines(text: str) -> Iterator[_Line]:
    """Instructions with the numbers of their first lines."""
    start, parts = 0, list[str]()
    for number, raw in enumerate(text.splitlines(), 1):
        line = raw.strip()
        if not line or line.startswith("#"):
            continue
        start = start or number
        if line.endswith("\\"):
            parts.append(line[:-1].strip())
            continue
        word, _, rest = " ".join([*parts, line]).partition(" ")
        yield _Line(start, word.upper(), rest.strip())
        start, parts = 0, []


def _language(image: str) -> str:
    name = image.split()[0].rpartition("/")[2].partition(":")[0]
    ours = f"python{sys.version_info.major}.{sys.version_info.minor}"
    return {"node": "nodejs20", "python": ours}.get(name, "custom")


def _check_copy(rest: str, folder: str, place: str) -> None:
    """Files stay where they are in the project, so a copy to elsewhere would not be found there."""
    *sources, target = (word for word in shlex.split(rest) if not word.startswith(("--chown", "--chmod")))
    inside = folder.rstrip("/")
    kept = target.rstrip("/") in (".", inside) and not any("/" in source.strip("./") for source in sources)
    same = len(sources) == 1 and sources[0].strip("./") == target.removeprefix(f"{inside}/").strip("./")
    if not (kept or same):
        raise ConfigError(
            f"{place}: {rest!r} moves files, and here they stay where they are.", hint=_HERE_INSTEAD
        )


def _check_run(rest: str, place: str) -> None:
    for command in rest.split("&&"):
        if not _INSTALLS.fullmatch(" ".join(command.split())):
            raise ConfigError(f"{place}: RUN {command.strip()!r} needs a build.", hint=_HERE_INSTEAD)


def _variables(rest: str) -> dict[str, str]:
    words = shlex.split(rest)
    if "=" not in words[0]:
        return {words[0]: " ".join(words[1:])}
    pairs = (word.partition("=") for word in words)
    return {name: value for name, _, value in pairs if name != "PORT"}  # that is the platform's to say


def _words(rest: str) -> list[str]:
    if rest.startswith("["):
        try:
            found: object = json.loads(rest)
        except ValueError:
            found = None
        if isinstance(found, list):
            return [str(word) for word in cast("list[object]", found)]
    return ["sh", "-c", shell.become(rest)]


def _health(rest: str) -> HealthCheck | None:
    """Its times, and the path that it asks for."""
    asked = re.search(r"https?://[^/\s'\"]+(/[^\s'\"|)]*)?", rest)
    if asked is None:
        return None
    said = dict(re.findall(r"--([\w-]+)=(\S+)", rest))
    return HealthCheck(
        path=asked[1] or "/",
        initial_delay_s=0.0,
        period_s=_seconds(said.get("interval"), 3.0),
        timeout_s=_seconds(said.get("timeout"), 2.0),
        failure_threshold=int(said.get("retries", 3)),
        start_timeout_s=max(_seconds(said.get("start-period"), 60.0), 60.0),
    )


def _seconds(text: str | None, default: float) -> float:
    found = re.fullmatch(r"(\d+(?:\.\d+)?)(ms|s|m|h)", text or "")
    return float(found[1]) * _SECONDS[found[2]] if found else default
