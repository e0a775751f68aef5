"""Keys by their names, as the browser wants to be told of them."""

from __future__ import annotations

from typing import Any

from agentrun.errors import RequestError

_MODIFIERS = {"Alt": 1, "Control": 2, "Meta": 4, "Shift": 8}
_NAMED = {
    "Backspace": 8,
    "Tab": 9,
    "Enter": 13,
    "Shift": 16,
    "Control": 17,
    "Alt": 18,
    "Escape": 27,
    "Space": 32,
    "PageUp": 33,
    "PageDown": 34,
    "End": 35,
    "Home": 36,
    "ArrowLeft": 37,
    "ArrowUp": 38,
    "ArrowRight": 39,
    "ArrowDown": 40,
    "Insert": 45,
    "Delete": 46,
    "Meta": 91,
    **{f"F{number}": 111 + number for number in range(1, 13)},
}
_TEXTS = {"Enter": "\r", "Tab": "\t", "Space": " "}


def pressed(combination: str) -> list[dict[str, Any]]:
    """The events of pressing keys such as `Enter`, `a` or `Control+Shift+End`."""
    *held, key = combination.split("+") if combination != "+" else ["+"]
    unknown = [name for name in held if name not in _MODIFIERS]
    if unknown or not (key in _NAMED or len(key) == 1):
        raise RequestError(
            f"{combination!r} is no key.",
            hint=f"A character, or one of {', '.join(_NAMED)}; before it, with a plus, any of {', '.join(_MODIFIERS)}.",
        )
    modifiers = sum(_MODIFIERS[name] for name in held)
    return _down_and_up(key, modifiers)


def typed(character: str) -> list[dict[str, Any]]:
    """The events of typing one character."""
    return _down_and_up({"\n": "Enter", "\t": "Tab", " ": "Space"}.get(character, character), 0)


def _down_and_up(key: str, modifiers: int) -> list[dict[str, Any]]:
    plain = modifiers & ~_MODIFIERS["Shift"] == 0
    text = _TEXTS.get(key, key if len(key) == 1 else "") if plain else ""
    letter = len(key) == 1 and key.isascii() and key.isalnum()
    code = ord(key.upper()) if letter else _NAMED.get(key, 0)
    event: dict[str, Any] = {
        "key": " " if key == "Space" else key,
        "code": _code(key),
        "windowsVirtualKeyCode": code,
        "modifiers": modifiers,
    }
    down = {"type": "keyDown" if text else "rawKeyDown", **event} | ({"text": text} if text else {})
    return [down, {"type": "keyUp", **event}]


def _code(key: str) -> str:
    if key in _NAMED:
        return key
    if not key.isascii() or not key.isalnum():
        return ""
    return f"Key{key.upper()}" if key.isalpha() else f"Digit{key}"
