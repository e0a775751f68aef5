"""Logs: bounded, found by time and text, without secrets, and never in the way."""

from __future__ import annotations

import asyncio
import os
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from patience import PATIENCE_S

from agentrun.platform.logs import segments
from agentrun.platform.logs.logs import Logs, Query
from agentrun.platform.logs.output import Output
from agentrun.platform.logs.record import Record
from agentrun.platform.logs.segments import Writer, files, newest_first
from agentrun.platform.logs.stamp import stamp


def line(at: float, text: str = "x") -> bytes:
    return stamp(at) + b" c-1 " + text.encode() + b"\n"


def texts(found) -> list[str]:
    return [one.decode().split(" ", 2)[2] for one in found]


@given(st.lists(st.integers(0, 50), max_size=60), st.integers(-5, 55), st.integers(-5, 55))
def test_a_stretch_of_time_is_exactly_its_lines(tmp_path_factory, moments, since, until):
    folder = tmp_path_factory.mktemp("log")
    moments.sort()
    writer = Writer(folder, segment_bytes=300)
    for number, moment in enumerate(moments):
        writer.write(line(1000 + moment, f"{number} {'y' * (number % 7 * 9)}"))
    writer.close()
    expected = [str(n) for n, moment in enumerate(moments) if since <= moment <= until]
    stretch = stamp(1000 + since), stamp(1000 + until)
    found = [one for path in files(folder) for one in segments._lines(path, *stretch, [])]
    assert [text.split()[0] for text in texts(found)] == expected


def test_old_files_go_and_the_newest_lines_stay(tmp_path):
    writer = Writer(tmp_path, segment_bytes=1000, total_bytes=5000)
    for number in range(1000):
        writer.write(line(time.time(), str(number)))
    writer.close()
    assert sum(path.stat().st_size for path in files(tmp_path)) <= 5000
    found = texts(newest_first(tmp_path, 0, time.time() + 1, []))
    assert found[:3] == ["999", "998", "997"]


def test_a_search_reads_no_files_of_another_time(tmp_path, monkeypatch):
    for start in range(10):
        (tmp_path / f"{start * 1000:013d}.log").write_bytes(line(start, f"{start}"))
    read = []
    lines = segments._lines
    monkeypatch.setattr(segments, "_lines", lambda path, *what: read.append(path.stem) or lines(path, *what))
    assert texts(newest_first(tmp_path, 4.0, 5.5, [])) == ["5", "4"]
    assert [int(stem) // 1000 for stem in read] == [5, 4, 3]


def test_a_line_cut_off_by_a_power_cut_is_passed_over(tmp_path):
    writer = Writer(tmp_path)
    writer.write(line(1, "whole"))
    writer.close()
    with files(tmp_path)[0].open("ab") as file:
        file.write(line(2, "half a line")[:-7])
    again = Writer(tmp_path)
    again.write(line(3, "after"))
    again.close()
    assert "after" in texts(newest_first(tmp_path, 0, time.time(), []))


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="There is no full disk to be had.")
def test_a_full_disk_loses_lines_counts_them_and_stops_nobody(tmp_path):
    full = tmp_path / f"{1:013d}.log"
    full.symlink_to("/dev/full")
    writer = Writer(tmp_path)
    writer.write(line(1) * 3)
    assert writer.dropped == 3
    full.unlink()
    writer.close()
    writer.write(line(2, "again"))
    assert texts(newest_first(tmp_path, 0, time.time() + 1, [])) == ["again"]
    writer.close()


def test_files_are_the_users_own(tmp_path):
    writer = Writer(tmp_path / "log")
    writer.write(line(1))
    writer.close()
    assert oct(files(tmp_path / "log")[0].stat().st_mode & 0o777) == "0o600"
    assert oct((tmp_path / "log").stat().st_mode & 0o777) == "0o700"


def test_output_in_pieces_becomes_whole_lines_without_secrets(tmp_path):
    writer = Writer(tmp_path / "a" / "output")
    output = Output("c-1", writer, ["hunter22"])
    for piece in (b"one\ntwo hun", b"ter22 three\nAuthorization: Bearer abcdefgh\n\xff\xfe\r\n", b"the end"):
        output.take(piece)
    output.end()
    writer.close()
    assert Logs(tmp_path).last_words("a", "c-1") == [
        "one", "two [redacted] three", "Authorization: Bearer [redacted]", "\ufffd\ufffd", "the end",
    ]  # fmt: skip


def test_an_endless_line_is_cut(tmp_path):
    writer = Writer(tmp_path / "a" / "output")
    output = Output("c-1", writer, [])
    for _ in range(10):
        output.take(b"x" * 10_000)
    output.end()
    writer.close()
    assert sum(map(len, Logs(tmp_path).last_words("a", "c-1"))) == 100_000


@pytest.fixture
def logs(tmp_path):
    made = Logs(tmp_path)
    for number, (status, instance) in enumerate([(200, "c-1"), (500, "c-2"), (200, "c-2")]):
        made.add(Record(f"req_{number}", "a", 1, instance=instance, path="/chat", status=status))
    writer = Writer(made.folder("a", "output"))
    Output("c-1", writer, []).take(b"hello from one\n")
    writer.close()
    yield made
    made.close()


@pytest.mark.parametrize(
    ("query", "found"),
    [
        (Query(request="req_1"), ["c-2"]),
        (Query(failed=True), ["c-2"]),
        (Query(failed=False), ["c-1", "c-2"]),
        (Query(instance="c-1"), ["c-1", "c-1"]),
        (Query(text="hello"), ["c-1"]),
        (Query(kind="requests"), ["c-1", "c-2", "c-2"]),
        (Query(kind="requests", limit=1), ["c-2"]),
        (Query(until=1.0), []),
        (Query(text="nothing"), []),
    ],
)
def test_lines_are_found_by_what_is_known_of_them(logs, query, found):
    assert [one.instance for one in logs.search("a", query)] == found


def test_a_runtime_without_logs_has_none(logs):
    assert logs.search("b") == []


async def test_what_comes_is_followed(logs):
    await asyncio.sleep(0.01)  # what was there before is no news
    followed = logs.follow("a", Query(kind="requests"))
    coming = asyncio.ensure_future(anext(followed))
    await asyncio.sleep(0)
    logs.add(Record("req_new", "a", 1, instance="c-9"))
    assert (await asyncio.wait_for(coming, PATIENCE_S)).instance == "c-9"
    await followed.aclose()


def test_a_reader_in_the_midst_of_a_write_sees_whole_lines(tmp_path):
    path = tmp_path / f"{1:013d}.log"
    path.write_bytes(line(1, "whole") + line(2, "half")[:-1])
    assert texts(newest_first(tmp_path, 0, time.time(), [])) == ["whole"]
    assert os.path.exists(path)
