"""`agentrun dev`: one agent on this machine, started again whenever a file of it is saved."""

from __future__ import annotations

import json
import os
import socket
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from agentrun import config
from agentrun.cli import output
from agentrun.cli.project import find_app, url_of
from agentrun.cli.reload import Reloader
from agentrun.errors import ConfigError


def dev(
    app: Annotated[
        Path | None,
        typer.Argument(help="A Python file that starts a server, or its folder.", show_default=False),
    ] = None,
    host: Annotated[str | None, typer.Option(help="Address to listen on.", show_default="127.0.0.1")] = None,
    port: Annotated[
        int | None, typer.Option(help="Port; 0 takes a free one.", show_default="PORT, or 9000")
    ] = None,
    reload: Annotated[bool, typer.Option(help="Start again when a file is saved.")] = True,
    as_json: Annotated[
        bool, typer.Option("--json", help="One JSON object for each thing that happens.")
    ] = False,
) -> None:
    """Serve an agent here; saving a file restarts it.

    Without APP, code/app.py or app.py is served. Callers wait while it restarts; none is refused.
    """
    if sys.platform == "win32":
        raise ConfigError("agentrun dev needs Linux or macOS.", hint="Run: python app.py")
    found = find_app(app)
    before = Path.cwd()
    shown = os.path.relpath(found, before)
    # as it will run: .env and agentrun.yaml stand beside it
    os.chdir(found.parent)
    settings = config.load(host=host, port=port)
    config.refuse_open_door(settings)
    with _listen(settings.host, settings.port) as listener:
        url = url_of(settings, listener.getsockname()[1])
        is_default = app is None and host is None and port is None and settings.port != 0
        talk = _Json() if as_json else _Lines(shown, _how_to_ask(url, settings, is_default=is_default))
        raise typer.Exit(Reloader(Path(found.name), listener, url, talk, reload=reload).run())


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except OSError as error:
        listener.close()
        raise ConfigError(
            f"Cannot listen on {host}:{port}: {error.strerror}.",
            hint="Take another port with --port, or a free one with --port 0.",
        ) from None
    listener.listen(2048)
    return listener


def _how_to_ask(url: str, settings: config.Settings, *, is_default: bool) -> str:
    """Two lines to copy. A key is named, not shown."""
    where = "" if is_default else f" --url {url}"
    key = ' -H "authorization: Bearer $AGENTRUN_API_KEY"' if settings.api_keys else ""
    body = json.dumps({"messages": [{"role": "user", "content": "Hello"}], "stream": True})
    curl = f"curl -N {url}{settings.prefix}/chat/completions{key} -H 'content-type: application/json' -d '{body}'"
    return f"Ask it:\n  agentrun invoke{where} Hello\n  {curl}\n"


class _Lines:
    """What happens, for a person."""

    def __init__(self, app: str, how_to_ask: str) -> None:
        self._app = app
        self._how_to_ask = how_to_ask
        self._greeted = False

    def ready(self, url: str, pid: int, took_s: float) -> None:
        if self._greeted:
            output.note(f"Ready again after {took_s:.1f} s.")
            return
        self._greeted = True
        output.note(
            f"\n{self._app} is served at {url} and starts again when a file is saved. Ctrl-C ends it."
        )
        output.note(self._how_to_ask)

    def warm(self) -> None:
        pass

    def changed(self, files: list[str]) -> None:
        output.note(f"{', '.join(files)} changed; starting again.")

    def ended(self, exit_code: int) -> None:
        output.note(f"{self._app} ended with exit code {exit_code}. Waiting until a file is saved.")


class _Json:
    """What happens, for a program."""

    def ready(self, url: str, pid: int, took_s: float) -> None:
        _event("ready", url=url, pid=pid, took_s=round(took_s, 3))

    def warm(self) -> None:
        _event("warm")

    def changed(self, files: list[str]) -> None:
        _event("changed", files=files)

    def ended(self, exit_code: int) -> None:
        _event("ended", exit_code=exit_code)


def _event(name: str, **fields: Any) -> None:
    output.data({"event": name, **fields})
