"""/files of E2B: one file out, one or more in, with the sandbox's token or a signed URL."""

from __future__ import annotations

import zlib
from collections.abc import AsyncGenerator, AsyncIterable
from posixpath import basename
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from agentrun.errors import RequestError
from agentrun.sandbox.sandbox import Sandbox
from agentrun.sandbox.service import door
from agentrun.sandbox.service.e2b.entrance import Entrance, check_user, located
from agentrun.sandbox.service.e2b.leases import Leases, Operation
from agentrun.sandbox.service.multipart import Form
from agentrun.sandbox.service.pieces import begun
from agentrun.sandbox.values import FileInfo

_PIECE = 1 << 20


def routes(entrance: Entrance, leases: Leases) -> list[Route]:
    """Read and write."""

    async def box_of(request: Request, operation: Operation) -> Sandbox:
        query = request.query_params
        check_user(query.get("username", ""))
        if (signature := query.get("signature")) is None:
            return (await entrance.lease(request)).box
        path, user = query.get("path", ""), query.get("username", "")
        lease = leases.signed(path, operation, user, signature, query.get("signature_expiration"))
        return await lease.awake()

    async def read(request: Request) -> Response:
        box = await box_of(request, "read")
        path = located(request.query_params.get("path", ""))
        info = await box.files.stat(path)
        if info.type == "dir":
            raise RequestError(f"{path} is a folder.")
        pieces = await begun(box.files.stream(path))
        # a link has a size of its own, and the kernel's files say that they are empty
        known = info.type == "file" and info.size > 0
        headers = {"content-length": str(info.size)} if known else {}
        return StreamingResponse(pieces, headers=headers, media_type="application/octet-stream")

    async def write(request: Request) -> Response:
        box = await box_of(request, "write")
        door.unbound(request)
        if request.headers.get("content-type", "").startswith("multipart/"):
            return JSONResponse([_written(info) for info in await _write_form(box, request)])
        path = request.query_params.get("path")
        if not path:
            raise RequestError("The path is missing.", hint="?path= says where the file is to be.")
        return JSONResponse([_written(await box.files.write(located(path), _body(request)))])

    return [Route("/files", read, methods=["GET"]), Route("/files", write, methods=["POST"])]


async def _write_form(box: Sandbox, request: Request) -> list[FileInfo]:
    """The path is that of the query, or for each file its name in the form."""
    form = Form(request.headers["content-type"], request.stream())
    path = request.query_params.get("path")
    written: list[FileInfo] = []
    while not written or await form.goes_on():
        await form.fields()
        target = path or form.filename
        if not target:
            raise RequestError("A file of the form has no name.")
        written.append(await box.files.write(located(target), form.file()))
        path = None
    return written


async def _body(request: Request) -> AsyncGenerator[bytes]:
    encoding = request.headers.get("content-encoding", "identity")
    if encoding == "identity":
        async for piece in request.stream():
            yield piece
    elif encoding == "gzip":
        async for piece in _unpacked(request.stream()):
            yield piece
    else:
        raise RequestError(f"The encoding {encoding} is not known; gzip is.")


async def _unpacked(packed: AsyncIterable[bytes]) -> AsyncGenerator[bytes]:
    """A piece at a time, however much it becomes: the sandbox takes no more than it has room for."""
    unpack = zlib.decompressobj(16 + zlib.MAX_WBITS)
    try:
        async for piece in packed:
            while piece:
                yield unpack.decompress(piece, _PIECE)
                piece = unpack.unconsumed_tail
    except zlib.error as error:
        raise RequestError(f"The body is no gzip: {error}.") from None
    if not unpack.eof:
        raise RequestError("The body broke off.")


def _written(info: FileInfo) -> dict[str, Any]:
    return {"name": basename(info.path), "type": "file", "path": info.path}
