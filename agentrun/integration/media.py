"""What people show besides text, as frameworks take it: bytes with their type, or an address on the web."""

from __future__ import annotations

import base64
import binascii
from typing import NamedTuple
from urllib.parse import unquote_to_bytes

from agentrun.errors import RequestError
from agentrun.messages import Audio, File, Image

_WEB = ("http://", "https://")
_ANY_IMAGE, _BYTES = "image/*", "application/octet-stream"


class Media(NamedTuple):
    """An image, audio or a file: `data` is base64, or else there is a `url`, which is never one of this machine's files."""

    media_type: str
    data: str = ""
    url: str = ""
    name: str | None = None

    @property
    def data_url(self) -> str:
        """The bytes as a URL."""
        return f"data:{self.media_type};base64,{self.data}"


def media_of(part: Image | Audio | File) -> Media:
    """What a part shows. A framework would open `file:` addresses for whoever asks, so other schemes are refused."""
    match part:
        case Image(url):
            return _at(url, _ANY_IMAGE, None)
        case Audio(data, format):
            return Media(f"audio/{format}", data)
        case File(_, str(data), name):
            return _at(data, _BYTES, name)
        case File(id):
            raise RequestError(
                f"The file {id!r} is an upload to somebody else, which the agent cannot read.",
                hint="Send its bytes as a data URL.",
                code="unsupported_file",
            )


def refused(media: Media, framework: str, takes: str) -> RequestError:
    """The framework has no place for this; leaving it out would let its model answer as if nobody had shown it."""
    what = f"{media.media_type} by its address" if media.url else media.media_type
    return RequestError(
        f"This agent is one of {framework}, which has no place for {what} in a message.",
        hint=f"It takes {takes}.",
        code="unsupported_file",
    )


def _at(url: str, media_type: str, name: str | None) -> Media:
    if url.lower().startswith(_WEB):
        return Media(media_type, url=url, name=name)
    head, comma, data = url.partition(",")
    scheme, _, described = head.partition(":")
    if scheme.lower() != "data" or not comma:
        raise RequestError(
            f"What is shown is at {url[:60]!r}; it has to be an http, https or data URL.", code="invalid_url"
        )
    kind, *parameters = described.split(";")
    return Media(kind or media_type, _base64(data, "base64" in parameters), name=name)


def _base64(data: str, already: bool) -> str:
    """The bytes of a data URL; without base64 they are percent-encoded."""
    if not already:
        return base64.b64encode(unquote_to_bytes(data)).decode()
    try:
        base64.b64decode(data, validate=True)
    except (binascii.Error, ValueError):
        raise RequestError("The base64 of a data URL cannot be read.", code="invalid_base64") from None
    return data
