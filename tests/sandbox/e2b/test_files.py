"""E2B's files: through the client, and by signed URLs."""

from __future__ import annotations

import io
from typing import Any

import httpx
import pytest


def test_write_and_read(box: Any):
    info = box.files.write("folder/hello.txt", "hello")
    assert (info.name, info.path, info.type.value) == ("hello.txt", "/home/user/folder/hello.txt", "file")
    assert box.files.read("folder/hello.txt") == "hello"
    assert box.files.read("~/folder/hello.txt", format="bytes") == b"hello"
    assert box.run_code("open('folder/hello.txt').read()").text == "'hello'"


def test_a_file_of_many_pieces(box: Any):
    data = bytes(range(256)) * 40_000
    box.files.write("large", io.BytesIO(data))
    assert box.files.read("large", format="bytes") == data
    box.files.write("packed", data, gzip=True)
    assert box.files.read("packed", format="bytes") == data


def test_many_files_at_once(box: Any):
    wanted = [{"path": "many/a b.txt", "data": "a"}, {"path": "many/ü.txt", "data": b"\x00b"}]
    assert [info.name for info in box.files.write_files(wanted)] == ["a b.txt", "ü.txt"]
    assert box.files.read("many/ü.txt", format="bytes") == b"\x00b"
    assert {info.name for info in box.files.list("many")} == {"a b.txt", "ü.txt"}


def test_what_is_there(box: Any):
    assert box.files.make_dir("tree/inner") is True
    assert box.files.make_dir("tree/inner") is False
    box.files.write("tree/inner/leaf", "12345")
    box.run_code("import os\nos.symlink('leaf', 'tree/inner/link')")
    assert [info.name for info in box.files.list("tree")] == ["inner"]
    assert {info.name for info in box.files.list("tree", depth=2)} == {"inner", "leaf", "link"}
    leaf, link = box.files.get_info("tree/inner/leaf"), box.files.get_info("tree/inner/link")
    assert (leaf.size, leaf.permissions, leaf.owner) == (5, "-rw-r--r--", "user")
    assert link.symlink_target == "leaf" and link.type.value == "symlink"
    assert box.files.exists("tree") and not box.files.exists("tree/none")


def test_the_kernel_s_files_are_read_and_empty_ones_are_empty(box: Any):
    assert box.files.read("/proc/self/status").startswith("Name:")
    box.files.write("nothing", "")
    assert box.files.read("nothing") == ""


def test_move_and_remove(box: Any):
    box.files.write("from", "x")
    assert box.files.rename("from", "to/there").path == "/home/user/to/there"
    assert box.files.read("to/there") == "x" and not box.files.exists("from")
    box.files.remove("to")
    assert not box.files.exists("to")
    box.files.remove("to")


def test_what_cannot_be(box: Any):
    e2b = pytest.importorskip("e2b")
    with pytest.raises(e2b.FileNotFoundException, match="No such file"):
        box.files.read("none")
    with pytest.raises(e2b.FileNotFoundException):
        box.files.list("none")
    with pytest.raises(e2b.InvalidArgumentException, match="is a folder"):
        box.files.read("/tmp")
    with pytest.raises(e2b.FileNotFoundException):
        box.files.read("/etc/shadow")
    with pytest.raises(e2b.InvalidArgumentException, match="no user 'root'"):
        box.files.write("x", "x", user="root")


def test_a_disk_that_is_full(client: Any):
    e2b = pytest.importorskip("e2b")
    box = client.create()
    try:
        with pytest.raises(e2b.NotEnoughSpaceException):
            for number in range(20):
                box.files.write(f"full/{number}", io.BytesIO(bytes(64 << 20)))
        assert box.run_code("1 + 1").text == "2"
    finally:
        box.kill()


def test_signed_urls(box: Any):
    box.files.write("signed.txt", "by url")
    url = box.download_url("signed.txt", use_signature_expiration=60)
    assert httpx.get(url).text == "by url"
    written = httpx.post(box.upload_url("up.txt"), files={"file": b"upped"}).json()
    assert written == [{"name": "up.txt", "type": "file", "path": "/home/user/up.txt"}]
    assert box.files.read("up.txt") == "upped"
    for wrong in (
        url.replace("signed.txt", "up.txt"),
        url.replace("v1_", "v1_x"),
        httpx.URL(url).copy_set_param("signature_expiration", "1"),
        httpx.URL(url).copy_remove_param("signature"),
        box.download_url("signed.txt", use_signature_expiration=-10),
    ):
        assert httpx.get(wrong).status_code in (401, 410), wrong
    assert httpx.post(url, files={"file": b"x"}).status_code == 401
