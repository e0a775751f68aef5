"""Where a project's agent is, and the settings that its server has there."""

from __future__ import annotations

import os
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from agentrun import config
from agentrun.errors import ConfigError

PLACES = ("code/app.py", "app.py")


def find_app(given: Path | None) -> Path:
    """The program to serve: the file given, or code/app.py or app.py in the folder given."""
    given = given or Path()
    if given.is_file():
        return given
    found = _app_in(given)
    if found is not None:
        return found
    if given == Path():
        raise ConfigError(
            f"There is no {' or '.join(PLACES)} here.",
            hint="Name the file: agentrun dev path/to/app.py; or start a project: agentrun init",
        )
    raise ConfigError(f"There is no agent at {given}.", hint="Name a Python file, or a folder with app.py.")


def _app_in(folder: Path) -> Path | None:
    return next((folder / place for place in PLACES if (folder / place).is_file()), None)


def settings_here(**arguments: Any) -> config.Settings:
    """The settings as the project's server reads them: `.env` and `agentrun.yaml` stand beside its app."""
    app = _app_in(Path())
    with _inside(app.parent if app else Path()):
        return config.load(**arguments)


@contextmanager
def _inside(folder: Path) -> Generator[None]:
    before = Path.cwd()
    os.chdir(folder)
    try:
        yield
    finally:
        os.chdir(before)


def url_of(settings: config.Settings, port: int | None = None) -> str:
    """Where callers on this machine reach a server with these settings."""
    host = settings.host
    if host in ("0.0.0.0", "::", ""):
        host = "127.0.0.1" if host != "::" else "::1"
    scheme = "https" if settings.ssl_certfile else "http"
    shown = f"[{host}]" if ":" in host else host
    return f"{scheme}://{shown}:{settings.port if port is None else port}"
