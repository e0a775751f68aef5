"""BotId: `ibot-<name>-<tag>`, how bots of Tencent's agent framework are called. Parse, make, explain a refusal."""

from __future__ import annotations

import re
import unicodedata

import msgspec

from agentrun.errors import ConfigError

_PART = re.compile(r"[a-z0-9_]+")
_LONGEST_NAME = 40  # with `ibot-` before it the name of a service, which has at most 45
_LONGEST_TAG = 64


class InvalidBotId(ConfigError, ValueError):
    """It is not of the form; the message says which part is wrong, the hint offers the nearest one that is."""

    code = "invalid_bot_id"


class BotId(msgspec.Struct, frozen=True):
    """A bot's name, and the tag that tells its variants apart."""

    name: str
    tag: str

    def __str__(self) -> str:
        return f"ibot-{self.name}-{self.tag}"

    @property
    def service(self) -> str:
        """What all tags of a bot share."""
        return f"ibot-{self.name}"

    @classmethod
    def parse(cls, text: str) -> BotId:
        """The id, or an InvalidBotId that explains what is wrong with it."""
        reason = _wrong(text)
        if reason is not None:
            raise InvalidBotId(
                f"{_shown(text)} is no bot id: {reason}.", hint=f"Did you mean {nearest(text)}?"
            )
        _, name, tag = text.split("-")
        return cls(name, tag)

    @classmethod
    def make(cls, name: str, tag: str) -> BotId:
        """The id of exactly these parts."""
        return cls.parse(f"ibot-{name}-{tag}")


def nearest(text: str, tag: str | None = None) -> BotId:
    """The valid id that comes closest to a text, or to a name and a tag."""
    if tag is None:
        text = re.sub(r"(?i)^\W*i?bot-", "", text)
        text, _, tag = text.rpartition("-") if "-" in text.strip("-") else (text, "", "v1")
    return BotId(_fitting(text, _LONGEST_NAME) or "agent", _fitting(tag, _LONGEST_TAG) or "v1")


def _wrong(text: str) -> str | None:
    """What is wrong with it, if anything is."""
    parts = text.split("-")
    if parts[0] != "ibot":
        return "it has to begin with ibot-"
    if len(parts) != 3:
        return f"it has {len(parts)} parts between dashes; there are three, ibot-<name>-<tag>"
    for what, part, longest in (("name", parts[1], _LONGEST_NAME), ("tag", parts[2], _LONGEST_TAG)):
        if not part:
            return f"its {what} is empty"
        if not _PART.fullmatch(part):
            found = next(character for character in part if not _PART.fullmatch(character))
            return f"its {what} has {found!r}; it may have lower-case letters, digits and underscores"
        if len(part) > longest:
            return f"its {what} has {len(part)} characters; it may have {longest}"
    return None


def _fitting(part: str, longest: int) -> str:
    plain = unicodedata.normalize("NFKD", part[:1000]).encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z0-9_]+", "_", plain).strip("_")[:longest].rstrip("_")


def _shown(text: str) -> str:
    return repr(text if len(text) <= 100 else text[:100] + "…")
