"""Ids are never given twice."""

import os
import re
import sys
import threading

import pytest

from agentrun.utils import ids


def test_an_id_says_what_it_names():
    assert re.fullmatch(r"run_[0-9a-f]{24}", ids.new("run_"))


def test_threads_are_not_given_the_same():
    given: list[list[str]] = []

    def take() -> None:
        given.append([ids.new("") for _ in range(5000)])

    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        threads = [threading.Thread(target=take) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        sys.setswitchinterval(interval)
    assert len({one for some in given for one in some}) == 40_000


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_a_forked_child_does_not_repeat_its_parents():
    ids.new("")
    readable, writable = os.pipe()
    child = os.fork()
    if not child:
        os.write(writable, ids.new("").encode())
        os._exit(0)
    os.waitpid(child, 0)
    theirs = os.read(readable, 100).decode()
    os.close(readable)
    os.close(writable)
    assert theirs not in {ids.new("") for _ in range(512)}
