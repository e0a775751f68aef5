"""The HTTP library that the installed `openai` is made of: httpx2 from its version 3 on, httpx before. One of them is enough."""

from __future__ import annotations

from importlib import import_module
from importlib.metadata import version
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import httpx
else:
    httpx = import_module("httpx2" if int(version("openai").partition(".")[0]) >= 3 else "httpx")

__all__ = ["httpx"]
