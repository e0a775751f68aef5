"""A form with one file, read as it comes: the fields before the file, then the file's bytes."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator
from email.message import Message
from email.utils import collapse_rfc2231_value

from agentrun.errors import RequestError

_MOST_HEAD, _MOST_FIELD = 16 << 10, 64 << 10


class Form:
    """A multipart body. Read `fields` up to the file, then `file`; nothing is held but a piece."""

    def __init__(self, content_type: str, body: AsyncIterator[bytes]) -> None:
        boundary = _parameter(content_type, "boundary")
        if not content_type.startswith("multipart/form-data") or not boundary:
            raise RequestError(
                "The body is no multipart/form-data.", hint="With curl: -F path=... -F file=@..."
            )
        self._mark = b"\r\n--" + boundary.encode("latin-1")
        self._body = body
        self._held = bytearray(b"\r\n")  # the first mark has no line before it
        self.filename: str | None = None

    async def fields(self) -> dict[str, str]:
        """The fields that stand before the file. The file is next."""
        found: dict[str, str] = {}
        await self._skip_to_part()
        while True:
            name, self.filename = await self._head()
            if self.filename is not None:
                return found
            value = b"".join([piece async for piece in self._part(_MOST_FIELD)])
            found[name] = value.decode("utf-8", "replace")
            await self._skip_to_part()

    async def file(self) -> AsyncGenerator[bytes]:
        """The file's bytes."""
        async for piece in self._part(None):
            yield piece

    async def goes_on(self) -> bool:
        """Whether something follows the file that was read."""
        while len(self._held) < len(self._mark) + 2:
            await self._more()
        return bytes(self._held[len(self._mark) : len(self._mark) + 2]) != b"--"

    async def _skip_to_part(self) -> None:
        """Past a mark, unless it is the last one."""
        while len(self._held) < len(self._mark) + 2:
            await self._more()
        rest = bytes(self._held[len(self._mark) : len(self._mark) + 2])
        if not self._held.startswith(self._mark) or rest != b"\r\n":
            raise _no_file() if rest == b"--" else _malformed()
        del self._held[: len(self._mark) + 2]

    async def _head(self) -> tuple[str, str | None]:
        while (end := self._held.find(b"\r\n\r\n")) < 0:
            if len(self._held) > _MOST_HEAD:
                raise _malformed()
            await self._more()
        head = bytes(self._held[:end]).decode("utf-8", "replace")
        del self._held[: end + 4]
        for line in head.split("\r\n"):
            name, _, value = line.partition(":")
            if name.strip().lower() == "content-disposition":
                return _parameter(value, "name") or "", _parameter(value, "filename")
        raise _malformed()

    async def _part(self, most: int | None) -> AsyncGenerator[bytes]:
        """The bytes up to the next mark, which stays held."""
        size = 0
        while (end := self._held.find(self._mark)) < 0:
            sure = len(self._held) - len(self._mark) + 1  # what follows could be the start of the mark
            if sure > 0:
                piece = bytes(self._held[:sure])
                del self._held[:sure]
                size += len(piece)
                if most is not None and size > most:
                    raise RequestError(f"A field of the form is larger than {most} bytes.")
                yield piece
            await self._more()
        yield bytes(self._held[:end])
        del self._held[:end]

    async def _more(self) -> None:
        piece = await anext(self._body, None)
        if piece is None:
            raise _malformed()
        self._held += piece


def _parameter(value: str, name: str) -> str | None:
    """`; name="..."` of a header."""
    message = Message()
    message["content-type"] = value
    found: object = message.get_param(name)
    return None if found is None else collapse_rfc2231_value(found)  # type: ignore[arg-type]


def _malformed() -> RequestError:
    return RequestError("The form is malformed, or broke off.")


def _no_file() -> RequestError:
    return RequestError("The form has no file.", hint="With curl: -F path=... -F file=@...")
