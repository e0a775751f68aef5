"""What the guest needs of the standard library, without the layers that take as long to load as Python itself.

`signal`, `socket` and `json` bring enums, collections and regular expressions along. A sandbox that starts from nothing
does with the modules below them, which Python has loaded or loads at once; the rest comes when it is needed.
"""

from __future__ import annotations

import _frozen_importlib_external as machinery
import _socket as socket
import sys

from .hints import TYPE_CHECKING, Any, Callable

if TYPE_CHECKING:
    import signal as signal
else:
    import _signal as signal

__all__ = ["decode", "encode", "late", "machinery", "signal", "socket"]

_STANDARD = frozenset(sys.path)  # nothing has been added yet


def late(name: str) -> Any:
    """A module of the standard library, loaded now if it is not yet. What lies in the working folder is not taken for it."""
    found = sys.modules.get(name)
    if found is None:
        path = sys.path
        sys.path = [place for place in path if place in _STANDARD]
        try:
            found = __import__(name)
        finally:
            sys.path = path
    return found


class _AsItIs:
    """How the scanner is to read JSON."""

    strict = False
    object_hook = object_pairs_hook = None
    parse_float, parse_int, parse_constant = float, int, float


def _refuse(value: object) -> Any:
    raise TypeError(f"{type(value).__name__} cannot be told as JSON")


def _coders() -> tuple[Callable[[Any], bytes], Callable[[bytes], Any]]:
    try:
        import _json
    except ImportError:  # a Python that was built without it
        json = late("json")
        return lambda value: json.dumps(value).encode(), json.loads
    text: Any = _json.encode_basestring_ascii
    write = _json.make_encoder(None, _refuse, text, None, ":", ",", False, False, True)
    reading: Any = _AsItIs
    scan = _json.make_scanner(reading)

    def encode(value: Any) -> bytes:
        return "".join(write(value, 0)).encode()

    def decode(body: bytes) -> Any:
        return scan(body.decode("utf-8", "surrogatepass"), 0)[0]

    return encode, decode


encode, decode = _coders()
