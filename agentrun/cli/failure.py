"""A failure as one line with a hint on stderr, and as an exit code."""

from __future__ import annotations

import json
import os
import sys
import traceback

import typer

from agentrun.errors import AgentRunError, ConfigError, RequestError, Unavailable

FAILED, MISUSED, UNREACHABLE, REFUSED, CANCELLED = 1, 2, 3, 4, 130
EXIT_CODES = {
    0: "done",
    FAILED: "it failed",
    MISUSED: "wrong arguments or settings",
    UNREACHABLE: "no server there, or not ready",
    REFUSED: "the server refused the request",
    CANCELLED: "Ctrl-C",
}
_tracebacks = False


def show_tracebacks(wanted: bool) -> None:
    """Whether a failure prints its traceback before its line."""
    global _tracebacks
    _tracebacks = wanted


def report(error: Exception, *, as_json: bool) -> int:
    """Print what went wrong; gives the exit code."""
    if isinstance(error, typer.Abort):
        return CANCELLED
    if _tracebacks:
        traceback.print_exception(error, file=sys.stderr)
    known = _as_known(error)
    if as_json:
        print(json.dumps({"error": body(known)}, ensure_ascii=False))
    print(f"Error: {' '.join(str(known).split())}", file=sys.stderr)
    return _exit_code(known)


def body(error: AgentRunError) -> dict[str, str | None]:
    """The error as JSON answers carry it."""
    return {
        "code": error.code,
        "message": error.message,
        "hint": error.hint,
        "run_id": getattr(error, "run_id", None),
    }


def reader_left() -> int:
    """End quietly when the program that reads our output has ended."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return FAILED


def _as_known(error: Exception) -> AgentRunError:
    if isinstance(error, AgentRunError):
        return error
    said = getattr(error, "format_message", None)  # typer's and click's own errors about arguments
    if said is not None:
        return ConfigError(_sentence(said()), hint="See: agentrun --help", code="usage")
    if isinstance(error, OSError):
        return AgentRunError(_sentence(str(error)), code="os_error")
    return AgentRunError(
        f"{type(error).__name__}: {error}.",
        hint="This should not happen; AGENTRUN_DEBUG=1 shows where it did.",
        code="internal_error",
    )


def _sentence(text: str) -> str:
    return text if text.endswith((".", "?", "!")) else text + "."


def _exit_code(error: AgentRunError) -> int:
    match error:
        case ConfigError():
            return MISUSED
        case Unavailable():
            return UNREACHABLE
        case RequestError():
            return REFUSED
        case _:
            return FAILED
