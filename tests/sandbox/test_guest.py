"""What the guest does without the standard library's own layers, beside what those would say."""

from __future__ import annotations

import json
import os
import socket

import pytest

from agentrun.sandbox.guest import slim
from agentrun.sandbox.guest.turns import READ, WRITE, Turns
from agentrun.sandbox.guest.wire import Wire

from .conftest import create

VALUES = [
    {"text": 'half a pair \ud800, quotes " and \\, a bell \x07, 𝒳'},
    {"numbers": [0, -1, 1 << 70, 1.5, -1e300], "others": [True, False, None]},
    {"deep": [[[[{"a": {}}]]]], "empty": [], "": ""},
]


@pytest.mark.parametrize("value", VALUES)
def test_json_is_written_and_read_as_everywhere(value: object):
    assert json.loads(slim.encode(value)) == value
    assert slim.decode(json.dumps(value).encode()) == value
    assert slim.decode(json.dumps(value, ensure_ascii=False).encode("utf-8", "surrogatepass")) == value


def test_what_is_no_json_is_refused():
    with pytest.raises(TypeError, match="object"):
        slim.encode({"a": object()})


def test_a_frame_that_is_held_comes_before_the_next_one():
    here, there = socket.socketpair()
    with here, there:
        sender, receiver = Wire(here), Wire(there)
        sender.hold(b'{"n":1}')
        there.setblocking(False)
        receiver.fill()
        assert receiver.next() is None
        sender.send({"n": 2})
        assert [receiver.receive(), receiver.receive()] == [{"n": 1}, {"n": 2}]


def test_descriptors_ride_along_and_are_not_inherited():
    here, there = socket.socketpair()
    reader, writer = os.pipe()
    with here, there:
        os.set_inheritable(writer, True)
        Wire(here).send({"n": 1}, [writer])
        receiver = Wire(there)
        assert receiver.receive() == {"n": 1}
        (copy,) = receiver.descriptors(1)
        assert not os.get_inheritable(copy)
        os.write(copy, b"x")
        assert os.read(reader, 1) == b"x"
        for one in (reader, writer, copy):
            os.close(one)


def test_who_is_closed_in_the_turn_of_another_gets_none():
    turns, told = Turns(), list[str]()
    first, second = socket.socketpair()

    def take(name: str, other: socket.socket) -> None:
        told.append(name)
        turns.unregister(other)
        other.close()

    turns.register(first, WRITE, lambda: take("first", second))
    turns.register(second, WRITE, lambda: take("second", first))
    turns.take(None)
    first.close()
    second.close()
    assert len(told) == 1


def test_who_was_there_first_has_its_turn_last():
    turns, told = Turns(), list[int]()
    ends = [end for _ in range(10) for end in socket.socketpair()]
    for number, end in enumerate(ends):
        turns.register(end, WRITE, lambda number=number: told.append(number))
    turns.take(None)
    for end in ends:
        end.close()
    assert told == list(reversed(range(20)))


def test_nobody_ready_is_waited_for_no_longer_than_said():
    turns = Turns()
    here, there = socket.socketpair()
    with here, there:
        turns.register(here, READ, lambda: pytest.fail("nothing was said"))
        turns.take(0)


COLD = """
import sys
before = [name for name in ("re", "json", "linecache", "traceback", "enum") if name in sys.modules]
import inspect
def told(x: int) -> int:
    return x + 1
inspect.getsource(told), told.__annotations__["x"] is int, before
"""


def test_code_finds_its_own_text_though_linecache_is_loaded_later():
    with create(strict=True) as box:
        said = box.run(COLD)
        assert said.error is None, said.error
        assert said.text == str(("def told(x: int) -> int:\n    return x + 1\n", True, []))


def test_the_first_error_of_a_sandbox_from_nothing_has_its_lines():
    with create(strict=True) as box:
        error = box.run("def f():\n    return 1 / 0\nf()").error
        assert error is not None
        assert error.name == "ZeroDivisionError"
        assert "    return 1 / 0" in error.traceback


def test_a_value_whose_json_is_none_elsewhere_is_shown_all_the_same():
    code = """
class Odd:
    def _repr_json_(self):
        return {"half": "\\ud800", "\\udfff": 1, "numbers": [float("nan"), float("inf"), 1.5]}
Odd()
"""
    with create() as box:
        ran = box.run(code)
        assert ran.error is None
        assert ran.results[0].data["application/json"] == {
            "half": "\\ud800",
            "\\udfff": 1,
            "numbers": [None, None, 1.5],
        }


def test_files_in_the_working_folder_are_not_taken_for_the_standard_library():
    with create(strict=True) as box:
        for name in ("traceback", "linecache", "binascii", "json", "re"):
            box.files.write(f"{name}.py", f"raise SystemExit('this is not {name}')")
        assert "1 / 0" in (box.run("1 / 0").error or pytest.fail("it went well")).traceback
        box.run(
            "class Shown:\n    def _repr_png_(self): return b'png'\n    def _repr_json_(self): return [1, (2,)]"
        )
        assert box.run("Shown()").results[0].data["application/json"] == [1, [2]]
        assert box.run("!echo hello").stdout == "hello\n"
