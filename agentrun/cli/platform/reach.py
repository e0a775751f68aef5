"""Reach a platform: that of a named access, or this machine's, whose daemon is started when it is needed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from typing import Any

from agentrun.cli import output
from agentrun.cli.platform import accesses
from agentrun.client import Access, Client
from agentrun.client.failures import of_shape
from agentrun.errors import AgentRunError, Unauthorized, Unavailable
from agentrun.platform.home import Home, home, is_held
from agentrun.version import __version__

_START_S = 60.0
_STOP_S = 60.0
_AGAIN_S = 0.05


def reach(name: str | None) -> Client:
    """A client of the platform with this name."""
    return Client(access_to(name))


def access_to(name: str | None) -> Access:
    """What one gets in with at the platform with this name; this machine's is started if it does not run."""
    named = accesses.get(name or accesses.DEFAULT)
    if named.url is not None:
        return Access(url=named.url, key=named.key)
    where = home()
    started(where).close()
    return _access_to(where)


def is_up(name: str | None) -> bool:
    """Whether the platform with this name answers; it is not started for this."""
    named = accesses.get(name or accesses.DEFAULT)
    if named.url is None:
        client = running(home())
        if client is not None:
            client.close()
        return client is not None
    try:
        with Client(Access(url=named.url, key=named.key)) as client:
            client.status()
    except Unavailable:
        return False
    return True


def _access_to(where: Home) -> Access:
    return Access(socket=where.socket, key=where.key)


def started(where: Home) -> Client:
    """This machine's, started if it does not run."""
    client = running(where)
    if client is None:
        start(where)
        client = running(where)
    if client is None:
        raise Unavailable("The platform ended as soon as it was up.", hint=f"Its log is {where.log}.")
    return client


def running(where: Home) -> Client | None:
    """This machine's, if it runs."""
    if not where.socket.exists():
        return None
    client = Client(_access_to(where))
    try:
        version = client.status().version
    except (Unauthorized, Unavailable):  # none there, or one that has just begun and writes its key
        client.close()
        return None
    if version != __version__:
        output.note(
            f"The platform runs AgentRun {version}, and this is {__version__}: agentrun platform stop, and again."
        )
    return client


def start(where: Home) -> None:
    """Start the daemon, and return when it is up."""
    where.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    reading, writing = os.pipe()
    command = [sys.executable, "-m", "agentrun.platform.daemon", str(where.folder), str(writing)]
    try:
        subprocess.run(
            command,
            cwd=where.folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            pass_fds=[writing],
            check=False,
        )
    finally:
        os.close(writing)
    with os.fdopen(reading, "rb") as pipe:
        said: dict[str, Any] = json.loads(pipe.readline() or b"{}")
    if "url" in said:
        return
    error = said.get("error")
    if error is None:
        raise AgentRunError("The platform ended before it was up.", hint=f"Its log is {where.log}.")
    if error["code"] != "already_running":
        raise of_shape(error)
    _wait_for_other(where)


def _wait_for_other(where: Home) -> None:
    """Another command has started it at the same moment, and has the pipe that tells."""
    end = time.monotonic() + _START_S
    while time.monotonic() < end:
        client = running(where)
        if client is not None:
            client.close()
            return
        time.sleep(_AGAIN_S)
    raise Unavailable("The platform does not answer.", hint=f"Its log is {where.log}.")


def stop(where: Home, *, instances: bool) -> bool:
    """Stop the daemon and wait until it has ended; whether it ran."""
    client = running(where)
    if client is None:
        return False
    with client:
        client.stop(instances=instances)
    end = time.monotonic() + _STOP_S
    while is_held(where):
        if time.monotonic() > end:
            raise Unavailable(
                "The platform was told to stop and has not yet.", hint=f"Its log is {where.log}."
            )
        time.sleep(_AGAIN_S)  # the end of another's process has no event to wait for
    return True
