"""An estimate of how many tokens a text is, for answers whose agent did not count them."""

from __future__ import annotations


def estimate(text: str) -> int:
    """About 4 bytes a token for Latin script; other scripts take 2 to 3 bytes a character and a token or so each."""
    if not text:
        return 0
    if text.isascii():
        return (len(text) + 3) // 4
    wide = sum(1 for character in text if character > "\u02ff")
    return wide + (len(text) - wide + 3) // 4
