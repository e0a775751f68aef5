"""Text that every encoding can carry."""

from __future__ import annotations


def whole(text: str) -> str:
    """`text` as valid Unicode: halves of a surrogate pair that stand together become one character, others U+FFFD."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return str.__str__(text)
