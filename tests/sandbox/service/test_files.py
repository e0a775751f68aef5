"""Files over HTTP."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import httpx
import pytest

from agentrun.errors import RequestError
from agentrun.sandbox.service.multipart import Form

from .conftest import Service

LARGE = 100 << 20
PIECE = 1 << 20


def test_files_are_written_and_read(client: httpx.Client, box: str):
    wish = {"path": "a/b.txt", "content": "größer", "mode": "600", "encoding": "utf-8", "createDir": True}
    written = client.post(f"{box}/files", json=wish).json()
    assert written == {"path": "/home/user/a/b.txt", "size": len("größer".encode())}
    read = client.get(f"{box}/files", params={"path": "a/b.txt"}).json()
    assert (read["content"], read["encoding"]) == ("größer", "utf-8")
    assert (read["mode"], read["permissions"], read["type"]) == (0o600, "-rw-------", "file")
    assert read["entry"]["path"] == read["path"] == "/home/user/a/b.txt"
    raw = base64.b64encode(b"\xff\x00").decode()
    client.post(f"{box}/files", json={"path": "raw", "content": raw, "encoding": "base64"})
    read = client.get(f"{box}/files", params={"path": "raw"}).json()
    assert (read["content"], read["encoding"]) == (raw, "base64")
    wrong = client.post(f"{box}/files", json={"path": "raw", "content": "!", "encoding": "base64"})
    assert wrong.status_code == 400
    assert client.get(f"{box}/files", params={"path": "nothing"}).status_code == 404


def test_folders_are_listed_made_moved_and_removed(client: httpx.Client, box: str):
    made = client.post(f"{box}/filesystem/mkdir", json={"path": "d/e", "parents": True, "mode": "0755"})
    assert made.json()["entry"]["type"] == "directory"
    client.post(f"{box}/files", json={"path": "d/one", "content": "1"})
    listed = client.get(f"{box}/filesystem", params={"path": "d", "depth": 2}).json()
    assert [(entry["name"], entry["type"]) for entry in listed["entries"]] == [
        ("e", "directory"),
        ("one", "file"),
    ]
    moved = client.post(f"{box}/filesystem/move", json={"source": "d/one", "destination": "d/two"})
    assert moved.json()["entry"]["path"] == "/home/user/d/two"
    assert client.get(f"{box}/filesystem/stat", params={"path": "d/two"}).json()["entry"]["size"] == 1
    for _ in range(2):
        assert client.post(f"{box}/filesystem/remove", json={"path": "d"}).status_code == 200
    assert client.get(f"{box}/filesystem/stat", params={"path": "d"}).status_code == 404


def test_nothing_of_the_host_is_reached(client: httpx.Client, box: str, service: Service):
    secret = service.home / "secret"
    secret.write_text("of the host", encoding="utf-8")
    client.post(f"{box}/processes/cmd", json={"command": f"ln -s {secret} link"})
    for path in (str(secret), f"../../..{secret}", "link"):
        assert client.get(f"{box}/filesystem/download", params={"path": path}).status_code == 404


def large() -> Iterator[bytes]:
    for number in range(LARGE // PIECE):
        yield bytes([number]) * PIECE


def digest(pieces: Iterator[bytes]) -> str:
    found = hashlib.sha256()
    for piece in pieces:
        found.update(piece)
    return found.hexdigest()


def peak_kb(pid: int) -> int:
    status = Path(f"/proc/{pid}/status").read_text("ascii")
    return int(next(line for line in status.splitlines() if line.startswith("VmHWM")).split()[1])


def test_a_large_file_goes_in_and_out_and_is_not_held(
    client: httpx.Client, box: str, service: Service, tmp_path: Path
):
    here = tmp_path / "large"
    with here.open("wb") as file:
        for piece in large():
            file.write(piece)
    before = peak_kb(service.process.pid)
    with here.open("rb") as file:
        up = client.post(f"{box}/filesystem/upload", data={"path": "one"}, files={"file": file})
    assert up.json() == {"path": "/home/user/one", "size": LARGE}
    put = client.put(f"{box}/files", params={"path": "two"}, content=large())
    assert put.json()["size"] == LARGE
    for name in ("one", "two"):
        with client.stream("GET", f"{box}/filesystem/download", params={"path": name}) as answer:
            assert answer.headers["content-disposition"] == f"attachment; filename*=utf-8''{name}"
            assert digest(answer.iter_bytes()) == digest(large())
    assert peak_kb(service.process.pid) - before < LARGE // 1024 // 4


def test_a_form_needs_its_path_and_its_file(client: httpx.Client, box: str):
    named = client.post(f"{box}/filesystem/upload", files={"file": ("given.txt", b"data")})
    assert named.json()["path"] == "/home/user/given.txt"
    without = client.post(f"{box}/filesystem/upload", files={"path": (None, "somewhere")})
    assert without.status_code == 400 and "no file" in without.json()["message"]
    plain = client.post(f"{box}/filesystem/upload", content=b"data")
    assert plain.status_code == 400 and "multipart" in plain.json()["message"]


def test_changes_are_streamed(client: httpx.Client, box: str):
    client.post(f"{box}/filesystem/mkdir", json={"path": "seen"})
    with client.stream("GET", f"{box}/filesystem/watch", params={"path": "seen"}) as answer:
        client.post(f"{box}/files", json={"path": "seen/new", "content": "x"})
        lines = answer.iter_lines()
        assert json.loads(next(lines)) == {"path": "/home/user/seen/new", "change": "created"}
        client.post(f"{box}/stop")
        list(lines)  # comes to an end
    assert client.get(f"{box}/filesystem/watch", params={"path": "seen"}).status_code == 410


def test_a_folder_that_is_not_there_is_not_watched(client: httpx.Client, box: str):
    assert client.get(f"{box}/filesystem/watch", params={"path": "none"}).status_code == 404


FORM = (
    b'--mark\r\nContent-Disposition: form-data; name="path"\r\n\r\nto/here\r\n'
    b'--mark\r\nContent-Disposition: form-data; name="file"; filename="a.bin"\r\n'
    b"Content-Type: application/octet-stream\r\n\r\n\r\n--mar\r\n--marx\r\n--mark--\r\n"
)


async def pieces(body: bytes, size: int) -> AsyncIterator[bytes]:
    for at in range(0, len(body), size):
        yield body[at : at + size]


@pytest.mark.parametrize("size", [*range(1, 40), len(FORM)])
async def test_a_form_is_the_same_in_any_pieces(size: int):
    form = Form('multipart/form-data; boundary="mark"', pieces(FORM, size))
    assert await form.fields() == {"path": "to/here"} and form.filename == "a.bin"
    assert b"".join([piece async for piece in form.file()]) == b"\r\n--mar\r\n--marx"


@pytest.mark.parametrize("end", range(1, len(FORM) - 12, 7))
async def test_a_form_that_breaks_off_is_refused(end: int):
    form = Form("multipart/form-data; boundary=mark", pieces(FORM[:end], 16))
    with pytest.raises(RequestError):
        await form.fields()
        async for _ in form.file():
            pass
