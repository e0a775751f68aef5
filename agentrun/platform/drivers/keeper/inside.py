"""`python -m agentrun.platform.drivers.keeper.inside`: becomes a command beside an instance, with what that may see and use.

What to become is read from the descriptor that is the argument.
"""

from __future__ import annotations

import fcntl
import os
import signal
import sys
import termios
from pathlib import PurePosixPath

import msgspec

from agentrun.platform.drivers.driver import Launch
from agentrun.platform.drivers.keeper import linux
from agentrun.platform.drivers.keeper.child import default_signals, see_only
from agentrun.platform.drivers.keeper.limits import join_cgroups_of
from agentrun.platform.drivers.keeper.view import show_at

_APP = "/app"


class Inside(msgspec.Struct, frozen=True):
    """A command, and whose part it is to be."""

    argv: tuple[str, ...]
    folder: str
    environment: dict[str, str]
    leader: int
    launch: Launch
    terminal: bool


def become(inside: Inside) -> None:
    """Does not return."""
    default_signals()
    if inside.terminal:
        fcntl.ioctl(0, termios.TIOCSCTTY, 0)
    join_cgroups_of(inside.leader)
    linux.no_new_privileges()
    code = inside.launch.folder
    shown = _show_code(code)
    linux.die_with_parent(signal.SIGKILL)  # now: who gets a namespace of their own loses it
    os.chdir(_place(inside.folder, code, shown))
    see_only(inside.launch)
    os.execvpe(inside.argv[0], inside.argv, inside.environment)


def _show_code(folder: str) -> str:
    """Where the code is found besides its own folder: at `/app`, as in a cloud, where the kernel allows it."""
    try:
        show_at(folder, "app")
    except OSError:
        return folder
    return _APP


def _place(asked: str, code: str, shown: str) -> str:
    """A folder as the user says it: from the code's, or under `/app`."""
    path = PurePosixPath(asked)
    if path.is_relative_to(_APP):
        return str(PurePosixPath(shown) / path.relative_to(_APP))
    return str(PurePosixPath(code) / path)


def main(descriptor: int) -> int:
    with open(descriptor, "rb") as file:
        inside = msgspec.json.decode(file.read(), type=Inside)
    try:
        become(inside)
    except OSError as error:
        print(f"{error.filename or inside.argv[0]}: {error.strerror}", file=sys.stderr)  # noqa: T201
    return 127


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1])))
