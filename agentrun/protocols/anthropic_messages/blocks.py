"""Content blocks of a request: their types, and the parts that they are."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeAlias

import msgspec

from agentrun.messages import File, Image, Part, Text
from agentrun.protocols.body import invalid


class Base64Source(msgspec.Struct, tag_field="type", tag="base64"):
    """Base64 data."""

    data: str
    media_type: str = "application/octet-stream"

    @property
    def url(self) -> str:
        return f"data:{self.media_type};base64,{self.data}"


class UrlSource(msgspec.Struct, tag_field="type", tag="url"):
    """What is elsewhere."""

    url: str


class FileSource(msgspec.Struct, tag_field="type", tag="file"):
    """A file of an earlier upload."""

    file_id: str


class TextSource(msgspec.Struct, tag_field="type", tag="text"):
    """Plain text."""

    data: str
    media_type: str = "text/plain"


class TextBlock(msgspec.Struct, tag_field="type", tag="text"):
    """Text."""

    text: str


class ContentSource(msgspec.Struct, tag_field="type", tag="content"):
    """Text in blocks."""

    content: str | list[TextBlock]


class ImageBlock(msgspec.Struct, tag_field="type", tag="image"):
    """An image."""

    source: Base64Source | UrlSource | FileSource


class DocumentBlock(msgspec.Struct, tag_field="type", tag="document"):
    """Any other file, or a text that is apart."""

    source: Base64Source | UrlSource | FileSource | TextSource | ContentSource
    title: str | None = None


class SearchResultBlock(msgspec.Struct, tag_field="type", tag="search_result"):
    """A text with its source."""

    source: str
    title: str
    content: list[TextBlock]


Shown: TypeAlias = TextBlock | ImageBlock | DocumentBlock | SearchResultBlock


class ThinkingBlock(msgspec.Struct, tag_field="type", tag="thinking"):
    """What the assistant thought."""

    thinking: str


class ToolUseBlock(msgspec.Struct, tag_field="type", tag="tool_use"):
    """A call that the client was to run."""

    id: str
    name: str
    input: Any = None


class McpToolUseBlock(msgspec.Struct, tag_field="type", tag="mcp_tool_use"):
    """A call that the agent ran itself."""

    id: str
    name: str
    input: Any = None


class ToolResultBlock(msgspec.Struct, tag_field="type", tag="tool_result"):
    """What a call gave."""

    tool_use_id: str
    content: str | list[Shown] | None = None


class McpToolResultBlock(msgspec.Struct, tag_field="type", tag="mcp_tool_result"):
    """What a call of the agent's own gave."""

    tool_use_id: str
    content: str | list[Shown] | None = None


Block: TypeAlias = (
    Shown | ThinkingBlock | ToolUseBlock | McpToolUseBlock | ToolResultBlock | McpToolResultBlock
)
# in answers of other servers that a client may send along; nothing in them is said or done here
_PASSED_OVER = frozenset(
    "redacted_thinking server_tool_use web_search_tool_result web_fetch_tool_result code_execution_tool_result"
    " bash_code_execution_tool_result text_editor_code_execution_tool_result tool_search_tool_result"
    " container_upload compaction".split()
)


def read_blocks(given: Sequence[dict[str, Any]], where: str) -> list[Block]:
    """Blocks as they came, or a RequestError that points at the one that is wrong."""
    blocks: list[Block] = []
    for position, fields in enumerate(given):
        if fields.get("type") in _PASSED_OVER:
            continue
        try:
            blocks.append(msgspec.convert(fields, Block))
        except msgspec.ValidationError as error:
            what, at, path = str(error).partition(" - at `$")
            raise invalid(f"{what} - at `$.{where}[{position}]{path if at else '`'}") from None
    return blocks


def parts_of(blocks: str | Sequence[Shown] | None) -> str | list[Part]:
    """What blocks show, as a message has it."""
    if blocks is None or isinstance(blocks, str):
        return blocks or ""
    if all(isinstance(block, TextBlock) for block in blocks):
        return "".join(block.text for block in blocks if isinstance(block, TextBlock))
    return [_part(block) for block in blocks]


def _part(block: Shown) -> Part:
    match block:
        case TextBlock(text):
            return Text(text)
        case ImageBlock(FileSource(file_id)):
            return File(file_id)
        case ImageBlock(Base64Source() | UrlSource() as source):
            return Image(source.url)
        case SearchResultBlock(_, _, content):
            return Text("".join(piece.text for piece in content))
        case DocumentBlock(source, title):
            return _document(source, title)
        case _:
            raise AssertionError(block)


def _document(
    source: Base64Source | UrlSource | FileSource | TextSource | ContentSource, title: str | None
) -> Part:
    match source:
        case FileSource(file_id):
            return File(file_id, None, title)
        case TextSource(data):
            return Text(data)
        case ContentSource(content):
            return Text(content if isinstance(content, str) else "".join(piece.text for piece in content))
        case Base64Source() | UrlSource():
            return File(None, source.url, title)
