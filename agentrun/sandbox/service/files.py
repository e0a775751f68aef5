"""Routes: files. Small ones travel in JSON; larger ones are passed through in pieces and never held."""

from __future__ import annotations

import base64
import binascii
import stat
from collections.abc import AsyncGenerator
from typing import Annotated, Any, Literal
from urllib.parse import quote

from fastapi import APIRouter, Query, Request
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, Field

from agentrun.errors import RequestError
from agentrun.sandbox.service import door, lines
from agentrun.sandbox.service.boxes import Boxes
from agentrun.sandbox.service.callers import Owner
from agentrun.sandbox.service.multipart import Form
from agentrun.sandbox.service.pieces import begun
from agentrun.sandbox.service.sandboxes import iso
from agentrun.sandbox.values import WORKING_FOLDER, FileInfo

Path = Annotated[str, Query(description="Absolute, or relative to the working folder.")]
Mode = Annotated[str, Field(pattern="^0?[0-7]{3}$", description="Permissions in octal.")]
_USER = "user"
_MULTIPART: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "required": ["file"],
                    "properties": {
                        "path": {"type": "string", "description": "Where to; before the file."},
                        "file": {"type": "string", "format": "binary"},
                    },
                }
            }
        },
    }
}
_BYTES: dict[str, Any] = {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}}


class Entry(BaseModel):
    """A file as the sandbox sees it."""

    name: str
    type: Literal["file", "directory", "link", "other"]
    path: str
    size: int
    mode: int
    permissions: str
    owner: str
    group: str
    modifiedTime: str
    target: str | None = Field(default=None, description="What a link points to.")


class Listing(BaseModel):
    """What is in a folder; deeper ones follow their folder."""

    path: str
    entries: list[Entry]


class Described(BaseModel):
    """One file."""

    entry: Entry


class Content(Entry):
    """A file with what is in it: its description flat and, as the documents have it, under `entry`."""

    content: str
    encoding: Literal["utf-8", "base64"] = Field(description="base64 where it is no UTF-8.")
    entry: Entry


class Write(BaseModel):
    """A file to write. The folders it is in are made, whatever `createDir` says."""

    path: str
    content: str
    mode: Mode = "644"
    encoding: Literal["utf-8", "base64"] = "utf-8"
    createDir: bool = True


class Written(BaseModel):
    """A file that is there now."""

    path: str
    size: int


class Where(BaseModel):
    """A path."""

    path: str


class MakeFolder(Where):
    """A folder to make, with those it is in."""

    parents: bool = True
    mode: Mode = "0755"


class Move(BaseModel):
    """From where to where."""

    source: str
    destination: str


class Change(BaseModel):
    """Something that happened to a file below a watched folder."""

    path: str
    change: Literal["created", "modified", "removed", "renamed"]


def routes(boxes: Boxes) -> APIRouter:
    """Read, write, list, stat, make, move, remove, upload, download, watch."""
    router = APIRouter(prefix="/sandboxes/{id}", tags=["files"])

    @router.get("/files")
    async def read(id: str, path: Path, owner: Owner) -> Content:
        """Read a file as text, or as base64 where it is none."""
        files = boxes.get(id, owner).files
        data = await files.read(path, limit=door.MOST_BYTES)
        entry = _entry(await files.stat(path))
        content, encoding = _told(data)
        return Content(**entry.model_dump(), content=content, encoding=encoding, entry=entry)

    @router.post("/files")
    async def write(id: str, wish: Write, owner: Owner) -> Written:
        """Write a file. It is there whole or not at all."""
        data = _meant(wish.content, wish.encoding)
        return _written(await boxes.get(id, owner).files.write(wish.path, data, mode=int(wish.mode, 8)))

    @router.put("/files", openapi_extra={"requestBody": {"required": True, "content": _BYTES}})
    async def put(
        id: str,
        path: Path,
        owner: Owner,
        request: Request,
        mode: Annotated[str, Query(pattern="^0?[0-7]{3}$", description="Permissions in octal.")] = "644",
    ) -> Written:
        """Write a file from the body's bytes, however large it is."""
        files = boxes.get(id, owner).files
        door.unbound(request)
        return _written(await files.write(path, request.stream(), mode=int(mode, 8)))

    @router.get("/filesystem")
    async def list_folder(
        id: str,
        owner: Owner,
        path: Path = WORKING_FOLDER,
        depth: Annotated[int, Query(ge=1, le=100)] = 1,
        limit: Annotated[int, Query(ge=1, le=100_000)] = 10_000,
    ) -> Listing:
        """List a folder."""
        found = await boxes.get(id, owner).files.list(path, depth=depth, limit=limit)
        return Listing(path=path, entries=[_entry(info) for info in found])

    @router.get("/filesystem/stat")
    async def describe(id: str, path: Path, owner: Owner) -> Described:
        """Look at one file."""
        return Described(entry=_entry(await boxes.get(id, owner).files.stat(path)))

    @router.post("/filesystem/mkdir")
    async def make_folder(id: str, wish: MakeFolder, owner: Owner) -> Described:
        """Make a folder; one that is there already is fine."""
        return Described(entry=_entry(await boxes.get(id, owner).files.make_dir(wish.path)))

    @router.post("/filesystem/move")
    async def move(id: str, wish: Move, owner: Owner) -> Described:
        """Move or rename."""
        return Described(entry=_entry(await boxes.get(id, owner).files.move(wish.source, wish.destination)))

    @router.post("/filesystem/remove")
    async def remove(id: str, wish: Where, owner: Owner) -> Where:
        """Remove a file, or a folder with all that is in it; one that is gone is fine."""
        files = boxes.get(id, owner).files
        if await files.exists(wish.path):
            await files.remove(wish.path)
        return wish

    @router.post("/filesystem/upload", openapi_extra=_MULTIPART)
    async def upload(id: str, owner: Owner, request: Request) -> Written:
        """Write a file from a form, however large it is."""
        files = boxes.get(id, owner).files
        door.unbound(request)
        form = Form(request.headers.get("content-type", ""), request.stream())
        path = (await form.fields()).get("path") or form.filename
        if not path:
            raise RequestError("The form has no field `path` before the file.")
        return _written(await files.write(path, form.file()))

    @router.get(
        "/filesystem/download", responses={200: {"content": _BYTES}}, response_class=StreamingResponse
    )
    async def download(
        id: str,
        path: Path,
        owner: Owner,
        limit: Annotated[int | None, Query(ge=0, description="Refuse a file with more bytes.")] = None,
    ) -> StreamingResponse:
        """A file's bytes, however many."""
        files = boxes.get(id, owner).files
        info = await files.stat(path)
        pieces = await begun(files.stream(path, limit=limit))
        name = quote(info.name.encode("utf-8", "surrogateescape"))
        return StreamingResponse(
            pieces,
            media_type="application/octet-stream",
            headers={"content-disposition": f"attachment; filename*=utf-8''{name}"},
        )

    @router.get("/filesystem/watch", responses=lines.described(Change), response_class=lines.Lines)
    async def watch(id: str, owner: Owner, path: Path = WORKING_FOLDER) -> lines.Lines:
        """What happens in a folder and below it, a line of JSON each, from when the answer begins."""
        files = boxes.get(id, owner).files

        async def told() -> AsyncGenerator[dict[str, Any]]:
            async with files.watch(path) as changes:
                yield {}
                async for change in changes:
                    yield {"path": change.path, "change": change.change}

        values = told()
        await anext(values)  # now it is watched
        return lines.answer(values)

    return router


def _entry(info: FileInfo) -> Entry:
    kind = {"dir": stat.S_IFDIR, "link": stat.S_IFLNK, "file": stat.S_IFREG}.get(info.type, 0)
    return Entry(
        name=info.name,
        type="directory" if info.type == "dir" else info.type,
        path=info.path,
        size=info.size,
        mode=stat.S_IMODE(info.mode),
        permissions=stat.filemode(kind | stat.S_IMODE(info.mode)),
        owner=_USER,
        group=_USER,
        modifiedTime=iso(info.modified_s),
        target=info.target,
    )


def _written(info: FileInfo) -> Written:
    return Written(path=info.path, size=info.size)


def _told(data: bytes) -> tuple[str, Literal["utf-8", "base64"]]:
    try:
        return data.decode(), "utf-8"
    except UnicodeDecodeError:
        return base64.b64encode(data).decode(), "base64"


def _meant(content: str, encoding: str) -> bytes:
    try:
        return base64.b64decode(content, validate=True) if encoding == "base64" else content.encode()
    except (binascii.Error, UnicodeEncodeError) as error:
        raise RequestError(f"content cannot be read as {encoding}: {error}.") from None
