"""Logs: readable on a terminal, one JSON object a line otherwise; secrets taken out. Importing this configures nothing."""

from __future__ import annotations

import logging
import re
import sys
import time
from collections.abc import Callable
from functools import lru_cache
from typing import Any, NamedTuple
from weakref import WeakMethod

import msgspec

from agentrun.utils.json import dumps
from agentrun.utils.log_handler import BatchingHandler
from agentrun.utils.unicode import whole

logger = logging.getLogger("agentrun")

_SECRET = re.compile(
    r"""(?ix)
    ( \bbearer\s+
    | authorization["']?\s*[=:]\s*["']?(?:\w+\s+)?
    | (?:api[-_]?keys?|token|secret|password|passwd)["']?\s*[=:]\s*["']?
    ) [^\s"';]{4,}
    | \bsk-[\w-]{8,}
    | (?<=://)[^\s/:@]*:[^\s/@]+(?=@)  # a URL's user and password
    """
)
# looking for these is much cheaper
_HINTS = ("sk-", "key", "token", "secret", "passw", "bearer", "authorization", "@")
_COLOURS = {"DEBUG": "36", "INFO": "32", "WARNING": "33", "ERROR": "31", "CRITICAL": "91"}


def redact(text: str) -> str:
    """`text` without keys and tokens."""
    lower = text.lower()
    for hint in _HINTS:
        if hint in lower:
            break
    else:
        return text
    return _SECRET.sub(lambda match: (match.group(1) or "") + "[redacted]", text)


class TerminalFormatter(logging.Formatter):
    """`INFO:     message`, as uvicorn writes it."""

    def __init__(self, *, colour: bool) -> None:
        super().__init__()
        self._colour = colour

    def format(self, record: logging.LogRecord) -> str:
        message = record.getMessage()
        if record.exc_info:
            message += "\n" + self.formatException(record.exc_info)
        return self.line(record.levelname, message)

    def line(self, level: str, message: str) -> str:
        shown = f"\x1b[{_COLOURS.get(level, '0')}m{level}\x1b[0m" if self._colour else level
        return f"{shown}:{' ' * (9 - len(level))}{redact(message)}"


class JsonFormatter(logging.Formatter):
    """One object a line: time, level, logger, message, and the fields of a run."""

    def format(self, record: logging.LogRecord) -> str:
        shown: dict[str, Any] = {
            "time": _stamp(record.created),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": redact(record.getMessage()),
        }
        fields: dict[str, Any] = getattr(record, "fields", {})
        if record.exc_info:
            fields = {**fields, "exception": self.formatException(record.exc_info)}
        for name, value in fields.items():
            shown[name] = redact(value) if isinstance(value, str) else value
        try:
            return dumps(shown).decode()
        except (TypeError, ValueError):  # a line that cannot be written as it is must not be lost
            return dumps({name: whole(str(value)) for name, value in shown.items()}).decode()


def _stamp(when: float) -> str:
    return f"{_second(int(when))}.{int(when % 1 * 1000):03d}Z"


@lru_cache(maxsize=2)
def _second(seconds: int) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds))


class Line(msgspec.Struct, kw_only=True):
    """What a line says beside its words. Those of many lines are structs, which take a tenth of a dict's time to write;
    what they hold must be free of secrets.
    """

    time: str = ""
    level: str = "info"
    logger: str
    message: str


def info(to: logging.Logger, line: Line, in_words: Callable[[], str]) -> None:
    """`to.info` of a line, which people read `in_words`."""
    if not to.isEnabledFor(logging.INFO):
        return
    if _ours is not None and not to.handlers and not to.filters and logger.handlers == [_ours.handler]:
        if isinstance(_ours.formatter, JsonFormatter):
            line.time = _stamp(time.time())
            _ours.handler.write(dumps(line).decode())
        else:
            _ours.handler.write(_ours.formatter.line("INFO", in_words()))
    else:
        fields = msgspec.to_builtins(line)
        for name in Line.__struct_fields__:
            del fields[name]
        to.info("%s", in_words(), extra={"fields": fields})


class _Ours(NamedTuple):
    handler: BatchingHandler
    formatter: TerminalFormatter | JsonFormatter


_ours: _Ours | None = None
_waiting: list[WeakMethod[Callable[[], None]]] = []


def when_configured(announce: Callable[[], None]) -> None:
    """Have a method called as soon as somebody can read what it logs; not at all if that is so already."""
    if _ours is None:
        _waiting.append(WeakMethod(announce))


def configure(level: str) -> None:
    """Send the logs of AgentRun and uvicorn to stderr. Called by `start()` and the command line."""
    global _ours
    stream = sys.stderr
    formatter = TerminalFormatter(colour=True) if stream.isatty() else JsonFormatter()
    handler = BatchingHandler(stream)
    handler.setFormatter(formatter)
    _ours = _Ours(handler, formatter)
    number = 5 if level == "trace" else getattr(logging, level.upper())
    for name in ("agentrun", "uvicorn"):
        named = logging.getLogger(name)
        named.handlers[:] = [handler]
        named.setLevel(number)
        named.propagate = False
    waiting, _waiting[:] = _waiting[:], []
    for announcement in waiting:
        announce = announcement()
        if announce is not None:
            announce()
