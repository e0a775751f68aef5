"""Pictures: what tools have shown while an agent works, by the address that their results name."""

from __future__ import annotations

from contextvars import ContextVar
from typing import Protocol

import msgspec


class Picture(msgspec.Struct, frozen=True):
    """An image as a file has it."""

    media_type: str
    data: bytes


class Gallery(Protocol):
    """Whoever has the pictures of the work that goes on in some context."""

    def picture(self, url: str, /) -> Picture | None: ...


_gallery: ContextVar[Gallery | None] = ContextVar("agentrun_gallery", default=None)
start_showing, stop_showing = _gallery.set, _gallery.reset


def picture(url: str) -> Picture | None:
    """The picture of this address, if the work that goes on here has made it and it is kept still."""
    gallery = _gallery.get()
    return None if gallery is None else gallery.picture(url)
