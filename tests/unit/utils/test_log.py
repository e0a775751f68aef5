"""Logs: readable on a terminal, JSON otherwise, and never with a secret."""

from __future__ import annotations

import io
import json
import logging
import sys
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentrun.utils import log
from agentrun.utils.log import JsonFormatter, TerminalFormatter, redact


def record(message: str, *args: object, level: int = logging.INFO, **more: object) -> logging.LogRecord:
    made = logging.LogRecord("agentrun.test", level, "app.py", 1, message, args, None)
    for name, value in more.items():
        setattr(made, name, value)
    return made


@pytest.mark.parametrize(
    "text",
    [
        "Authorization: Bearer {}",
        "authorization: Basic {}",
        "'authorization': 'Token {}'",
        "bearer {}",
        "X-API-Key: {}",
        "api-key={}",
        "apikey = {}",
        '{{"api_key": "{}"}}',
        "OPENAI_API_KEY={}",
        "AGENTRUN_API_KEYS={},other",
        "access_token={}&x=1",
        "password: '{}'",
        "client_secret={};",
        "postgres://user:{}@db:5432/x",
        "https://:{}@host/",
    ],
)
def test_a_secret_is_taken_out(text):
    shown = redact("before " + text.format("hunter22hunter") + " after")
    assert "hunter" not in shown
    assert "[redacted]" in shown
    assert shown.startswith("before ") and shown.endswith(" after")


def test_a_key_is_known_by_its_shape():
    assert redact("with sk-proj-abc_DEF123 in it") == "with [redacted] in it"


def test_every_key_of_a_list_is_taken_out():
    assert redact("AGENTRUN_API_KEYS=first1,second2") == "AGENTRUN_API_KEYS=[redacted]"


@pytest.mark.parametrize(
    "text",
    [
        "run run_1 (request req_1) completed in 12 ms, first event after 3 ms, tokens 5 in, 7 out",
        "Uvicorn running on http://127.0.0.1:9000 (Press CTRL+C to quit)",
        "the key to this is a token of gratitude",
        "mail me@example.com",
        "risk-taking",
    ],
)
def test_the_rest_stays(text):
    assert redact(text) == text


@given(st.text())
def test_any_text_can_be_looked_through(text):
    redact(text)


def test_a_line_on_a_terminal():
    plain = TerminalFormatter(colour=False)
    assert plain.format(record("hello %s", "you")) == "INFO:     hello you"
    assert plain.format(record("x", level=logging.CRITICAL)) == "CRITICAL: x"
    coloured = TerminalFormatter(colour=True)
    assert coloured.format(record("x", level=logging.WARNING)) == "\x1b[33mWARNING\x1b[0m:  x"


def caught() -> object:
    try:
        raise ValueError("password=hunter22")
    except ValueError:
        return sys.exc_info()


def test_an_exception_is_shown_without_its_secrets():
    on_terminal = TerminalFormatter(colour=False).format(record("bad", exc_info=caught()))
    in_json = json.loads(JsonFormatter().format(record("bad", exc_info=caught())))
    assert on_terminal.startswith("INFO:     bad\nTraceback")
    for shown in (on_terminal, in_json["exception"]):
        assert "ValueError: password=[redacted]" in shown and "hunter" not in shown


def test_a_line_of_json():
    made = record("hello\n%s", "you", fields={"run_id": "run_1", "tokens": 3, "by": "sk-abcdefgh1"})
    made.created, made.msecs = 1_700_000_000.25, 250.0
    line = JsonFormatter().format(made)
    assert "\n" not in line
    assert json.loads(line) == {
        "time": "2023-11-14T22:13:20.250Z",
        "level": "info",
        "logger": "agentrun.test",
        "message": "hello\nyou",
        "run_id": "run_1",
        "tokens": 3,
        "by": "[redacted]",
    }


@given(
    st.text(st.characters()), st.dictionaries(st.sampled_from("ab"), st.text(st.characters()) | st.integers())
)
def test_any_message_is_one_line_of_json(message, fields):
    line = JsonFormatter().format(record("%s", message, fields=fields))
    assert "\n" not in line and "\r" not in line
    assert json.loads(line)["level"] == "info"


def test_fields_that_are_no_json_are_shown_as_text():
    line = json.loads(JsonFormatter().format(record("x", fields={"what": object, "bad": "\ud800"})))
    assert line["what"] == "<class 'object'>"
    assert line["bad"] == "\ufffd"


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture
def untouched() -> Iterator[None]:
    """The loggers as they were, afterwards."""
    loggers = [logging.getLogger(name) for name in ("agentrun", "uvicorn")]
    before = [(one, one.handlers[:], one.level, one.propagate) for one in loggers]
    yield
    for one, handlers, level, propagate in before:
        one.handlers[:], one.propagate = handlers, propagate
        one.setLevel(level)


@pytest.mark.parametrize("terminal", [True, False])
def test_configuring_sends_both_loggers_to_stderr(untouched, monkeypatch, terminal):
    stream = Terminal() if terminal else io.StringIO()
    monkeypatch.setattr(sys, "stderr", stream)
    log.configure("warning")
    logging.getLogger("uvicorn.error").warning("careful")
    log.logger.info("unseen")
    for handler in log.logger.handlers:
        handler.flush()
    shown = stream.getvalue()
    assert "unseen" not in shown
    if terminal:
        assert shown == "\x1b[33mWARNING\x1b[0m:  careful\n"
    else:
        assert json.loads(shown)["message"] == "careful"


def test_trace_is_below_debug(untouched):
    log.configure("trace")
    assert log.logger.isEnabledFor(5)


def test_what_was_chosen_before_anybody_could_read_of_it_is_told_then(untouched, monkeypatch):
    class Choice:
        told = 0

        def tell(self) -> None:
            self.told += 1

    monkeypatch.setattr(log, "_ours", None)
    kept, gone = Choice(), Choice()
    log.when_configured(kept.tell)
    log.when_configured(gone.tell)
    del gone
    log.configure("info")
    log.configure("info")
    assert kept.told == 1
