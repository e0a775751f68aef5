"""What a driver and its keeper say to each other: one JSON object a line, over a Unix socket."""

from __future__ import annotations

import hashlib
import os
import tempfile
from pathlib import Path
from typing import TypeAlias

import msgspec

from agentrun.platform.drivers.driver import Ended, Handle, Launch

MARK = "AGENTRUN_KEPT_BY"  # in the environment of all that a keeper has started
_LONGEST_PATH = 100  # bytes; the kernel takes 107


class Start(msgspec.Struct, tag="start", frozen=True):
    """Start one. `number` comes back with the reply."""

    number: int
    launch: Launch


class Stop(msgspec.Struct, tag="stop", frozen=True):
    number: int
    instance: str
    grace_s: float


class List(msgspec.Struct, tag="list", frozen=True):
    number: int


class Look(msgspec.Struct, tag="look", frozen=True):
    """What an instance found in its environment. A fork's cannot be read from outside."""

    number: int
    instance: str


class Leave(msgspec.Struct, tag="leave", frozen=True):
    """End, with all instances."""

    number: int


Request: TypeAlias = Start | Stop | List | Look | Leave


class Reply(msgspec.Struct, tag="reply", frozen=True, omit_defaults=True):
    number: int
    handles: tuple[Handle, ...] = ()
    environment: dict[str, str] = {}
    error: str = ""


class Told(msgspec.Struct, tag="told", frozen=True):
    """An instance has ended."""

    ended: Ended


encode = msgspec.json.Encoder().encode
decode_request = msgspec.json.Decoder(Request).decode
decode_answer = msgspec.json.Decoder(Reply | Told).decode


def socket_path(folder: Path) -> Path:
    """Where the keeper of a folder listens: in the folder, or where paths are shorter, by its digest."""
    path = folder / "keeper.sock"
    if len(os.fsencode(path)) <= _LONGEST_PATH:
        return path
    return Path(tempfile.gettempdir()) / f"agentrun-{os.getuid()}-{owner(folder)}.sock"


def owner(folder: Path) -> str:
    """A short name for a folder."""
    return hashlib.sha256(os.fsencode(folder.resolve())).hexdigest()[:16]
