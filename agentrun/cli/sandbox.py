"""`agentrun sandbox`: run code in isolation, and see, read and stop the sandboxes of this user."""

from __future__ import annotations

import base64
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Annotated, Any

import typer

from agentrun.cli import output
from agentrun.cli.sandbox_serve import serve
from agentrun.cli.sandbox_shell import attach
from agentrun.errors import AgentRunError, ConfigError, NotFound
from agentrun.sandbox import (
    CodeError,
    Execution,
    Output,
    Result,
    Stderr,
    Stdout,
    SyncSandbox,
    door,
    names,
    records,
)
from agentrun.sandbox.backend import BUILTIN

sandbox = typer.Typer(
    no_args_is_help=True, add_completion=False, help="Sandboxes. Each command takes --json, but for shell."
)
_Json = Annotated[bool, typer.Option("--json", help="One JSON object.")]
_Template = Annotated[str, typer.Option("--template", "-t", help="A name from `agentrun sandbox templates`.")]
_Backend = Annotated[
    str | None,
    typer.Option("--backend", help=f"auto, {', '.join(BUILTIN)}, of which process isolates nothing."),
]
_Id = Annotated[str, typer.Argument(help="An id from `agentrun sandbox list`, or how it begins.")]

sandbox.command()(serve)

_LANGUAGES = {".py": "python", ".js": "javascript", ".mjs": "javascript", ".sh": "bash"}


@sandbox.command()
def run(
    code: Annotated[str | None, typer.Argument(help="The code; - or nothing reads it from stdin.")] = None,
    file: Annotated[Path | None, typer.Option("--file", "-f", help="A file with the code.")] = None,
    template: _Template = "python",
    language: Annotated[
        str | None, typer.Option("--language", "-l", help="python, javascript or bash.")
    ] = None,
    timeout_s: Annotated[float | None, typer.Option("--timeout", help="Longest run, in seconds.")] = None,
    backend: _Backend = None,
    as_json: _Json = False,
) -> None:
    """Run code in a new sandbox, which ends with it."""
    text, found = _code(code, file)
    with SyncSandbox.create(template, **_options(backend)) as box:
        told = None if as_json else _print
        wanted: Any = language or found
        ran = box.run(text, language=wanted, timeout_s=timeout_s, on_output=told)
        if as_json:
            output.data(_described(ran, box))
    if ran.error is not None and not as_json:
        output.note(_told(ran.error))
    raise typer.Exit(1 if ran.error is not None else 0)


@sandbox.command()
def shell(template: _Template = "python", backend: _Backend = None) -> None:
    """A terminal in a new sandbox, which ends with it."""
    if not sys.stdin.isatty():
        raise ConfigError("A shell needs a terminal.", hint="Use: agentrun sandbox run --language bash")
    with SyncSandbox.create(template, idle_timeout_s=86_400, **_options(backend)) as box:
        output.note(f"{box.id}, {box.isolation.level}; exit or Ctrl-D ends it")
        code = attach(box)
    raise typer.Exit(code if code >= 0 else 1)


@sandbox.command("list")
def list_sandboxes(as_json: _Json = False) -> None:
    """Say what sandboxes of this user are running, in any process."""
    found = _records()
    if as_json:
        output.data({"sandboxes": [_listed(record) for record in found]})
        return
    for record in found:
        age_s = time.time() - record.created_s
        typer.echo(f"{record.id}  {record.template}  {record.level}  pid {record.owner.pid}  {age_s:.0f} s")
    if not found:
        output.note("No sandbox is running.")


@sandbox.command()
def files(
    id: _Id,
    path: Annotated[str, typer.Argument(help="A folder, or a file to print.")] = ".",
    as_json: _Json = False,
) -> None:
    """List a folder of a sandbox, or print a file of it."""
    record = _record(id)
    try:
        answer, _ = door.knock(record, "list", path=path)
    except AgentRunError:
        _print_file(record, path, as_json=as_json)
        return
    if as_json:
        output.data({"files": [_file(entry) for entry in answer.files]})
        return
    for entry in answer.files:
        mark = "/" if entry.type == "dir" else ""
        typer.echo(f"{entry.size:>12}  {entry.path}{mark}")


@sandbox.command()
def logs(id: _Id, as_json: _Json = False) -> None:
    """Print what was noted of a sandbox: when it began, and what it asked of the network."""
    record = _record(id)
    text = ""
    with suppress(FileNotFoundError):
        text = (records.folder() / f"{record.id}.log").read_text("utf-8", "replace")
    if as_json:
        output.data({"id": record.id, "lines": text.splitlines()})
    else:
        typer.echo(text, nl=False)


@sandbox.command()
def stop(id: _Id, as_json: _Json = False) -> None:
    """End a sandbox, and all in it."""
    record = _record(id)
    try:
        door.knock(record, "stop")
    except AgentRunError:
        if record.first is None:
            raise
        records.end(record)  # its owner does not listen: it is ended over its head
    if as_json:
        output.data({"stopped": record.id})
    else:
        output.note(f"{record.id} has ended.")


@sandbox.command()
def templates(as_json: _Json = False) -> None:
    """Say what templates there are, and where they are written."""
    known = names()
    if as_json:
        output.data({"templates": [{"name": name, "source": source} for name, source in known.items()]})
        return
    for name, source in known.items():
        typer.echo(f"{name}  {source}")


def _code(code: str | None, file: Path | None) -> tuple[str, str]:
    if file is not None:
        if code is not None:
            raise ConfigError("There are both code and a file.", hint="Give one of them.")
        return _text(file), _LANGUAGES.get(file.suffix, "python")
    return (sys.stdin.read() if code in (None, "-") else str(code)), "python"


def _text(file: Path) -> str:
    try:
        return file.read_text("utf-8")
    except OSError as error:
        raise ConfigError(f"{file} cannot be read: {error.strerror}.") from None
    except UnicodeDecodeError:
        raise ConfigError(f"{file} is no text in UTF-8.") from None


def _told(error: CodeError) -> str:
    """The traceback, and what it is called where that says something else, as of code that was stopped."""
    traceback, said = error.traceback.rstrip(), f"{error.name}: {error.value}"
    last = traceback.rpartition("\n")[2]
    return traceback if last.startswith(error.name) else f"{traceback}\n{said}".lstrip()


def _options(backend: str | None) -> dict[str, Any]:
    """One that ends with its command needs no others waiting behind it."""
    return {"warm": 0} if backend is None else {"warm": 0, "backend": backend}


def _print(said: Output) -> None:
    match said:
        case Stdout(text):
            typer.echo(text, nl=False)
        case Stderr(text):
            typer.echo(text, nl=False, err=True)
        case Result():
            others = [mime for mime in said.data if mime != "text/plain"]
            typer.echo(said.text or "")
            if others:
                output.note(f"also as {', '.join(others)}; --json shows it")


def _described(ran: Execution, box: SyncSandbox) -> dict[str, Any]:
    error = ran.error
    return {
        "id": box.id,
        "isolation": box.isolation.level,
        "stdout": ran.stdout,
        "stderr": ran.stderr,
        "results": [{"data": dict(result.data), "main": result.main} for result in ran.results],
        "error": None
        if error is None
        else {"name": error.name, "value": error.value, "traceback": error.traceback},
        "truncated": ran.truncated,
        "duration_s": round(ran.duration_s, 6),
    }


def _records() -> list[records.Record]:
    records.sweep(lambda record: None)
    return [record for record in records.every() if record.alive]


def _record(id: str) -> records.Record:
    found = [record for record in _records() if record.id.startswith(id) or record.id.startswith(f"sbx_{id}")]
    if len(found) != 1:
        known = ", ".join(record.id for record in _records()) or "none"
        count = "several sandboxes" if found else "no sandbox"
        raise NotFound(f"There is {count} whose id begins with {id}.", hint=f"There are: {known}.")
    return found[0]


def _listed(record: records.Record) -> dict[str, Any]:
    return {
        "id": record.id,
        "template": record.template,
        "isolation": record.level,
        "owner_pid": record.owner.pid,
        "created_s": record.created_s,
    }


def _file(entry: Any) -> dict[str, Any]:
    return {"path": entry.path, "type": entry.type, "size": entry.size, "modified_s": entry.modified_s}


def _print_file(record: records.Record, path: str, *, as_json: bool) -> None:
    _, pieces = door.knock(record, "read", path=path)
    if as_json:
        output.data({"path": path, "base64": base64.b64encode(b"".join(pieces)).decode()})
        return
    for piece in pieces:
        sys.stdout.buffer.write(piece)
    sys.stdout.buffer.flush()
