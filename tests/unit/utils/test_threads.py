"""Threads: reused, bounded, and survivors of a system that gives no more."""

from __future__ import annotations

import threading
import time

import pytest
from patience import PATIENCE_S

from agentrun.utils.threads import Threads


def wait_until(condition) -> bool:
    end = time.monotonic() + PATIENCE_S
    while not condition() and time.monotonic() < end:
        time.sleep(0.002)
    return condition()


def test_blocking_functions_run_side_by_side():
    threads, met = Threads("t", 20), threading.Barrier(21)
    for _ in range(20):
        threads.run(lambda: met.wait(PATIENCE_S) and None)
    met.wait(PATIENCE_S)
    threads.wait(PATIENCE_S)


def test_past_the_limit_functions_wait_in_their_order():
    threads, gate, order = Threads("t", 1), threading.Event(), list[int]()
    threads.run(lambda: gate.wait(PATIENCE_S) and None)
    for number in range(5):
        threads.run(lambda number=number: order.append(number))
    assert order == []
    gate.set()
    threads.wait(PATIENCE_S)
    assert order == [0, 1, 2, 3, 4]


def test_an_idle_thread_is_used_again():
    threads, seen = Threads("t", 20), list[int]()
    for _ in range(5):
        done = threading.Event()
        threads.run(lambda done=done: (seen.append(threading.get_ident()), done.set()) and None)
        assert done.wait(PATIENCE_S)
        assert wait_until(lambda: threads._idle == 1)
    assert len(set(seen)) == 1


def test_an_idle_thread_ends_after_a_while():
    threads = Threads("short-lived", 20, idle_s=0.01)
    threads.run(lambda: None)
    assert wait_until(lambda: not any(t.name == "short-lived" for t in threading.enumerate()))
    done = threading.Event()
    threads.run(done.set)
    assert done.wait(PATIENCE_S)


def test_waiting_gives_up():
    threads, gate = Threads("t", 1), threading.Event()
    threads.run(lambda: gate.wait() and None)
    threads.wait(0.02)  # or this test does not end
    gate.set()
    threads.wait(PATIENCE_S)


def test_threads_do_not_keep_the_process_alive():
    threads, gate = Threads("daemonic", 1), threading.Event()
    threads.run(lambda: gate.wait(PATIENCE_S) and None)
    assert all(t.daemon for t in threading.enumerate() if t.name == "daemonic")
    gate.set()


def test_a_system_that_gives_no_thread(monkeypatch):
    threads, gate, done = Threads("t", 20), threading.Event(), threading.Event()
    start = threading.Thread.start

    def refuse(thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", refuse)
    with pytest.raises(RuntimeError):
        threads.run(done.set)
    monkeypatch.setattr(threading.Thread, "start", start)
    threads.run(lambda: gate.wait(PATIENCE_S) and None)
    monkeypatch.setattr(threading.Thread, "start", refuse)
    threads.run(done.set)  # waits for the one there is
    gate.set()
    assert done.wait(PATIENCE_S)
    threads.wait(PATIENCE_S)
