"""An estimate of how many tokens a text is, for answers whose agent did not count them."""

from __future__ import annotations

# of UTF-8, all bytes but those that a character of another script begins with (U+0300 and above)
_NOT_WIDE = bytes(range(0xCC))


def estimate(text: str) -> int:
    """About 4 bytes a token for Latin script; other scripts take 2 to 3 bytes a character and a token or so each."""
    if not text:
        return 0
    if text.isascii():
        return (len(text) + 3) // 4
    wide = len(text.encode("utf-8", "surrogatepass").translate(None, _NOT_WIDE))
    return wide + (len(text) - wide + 3) // 4
