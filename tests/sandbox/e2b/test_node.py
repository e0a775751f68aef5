"""E2B's client for Node.js, unmodified."""

from __future__ import annotations

from pathlib import Path

from node_programs import runner

from ..service.conftest import Service

NODE = Path(__file__).with_name("node")


def test_what_its_users_do(served: Service):
    seen = runner(NODE)("e2b.mjs")
    assert seen["code"] == {"text": "42", "lines": ["hi\n"], "count": 1}
    assert seen["error"] == "ZeroDivisionError"
    assert seen["files"] == {"text": "hello", "names": ["a.txt"], "exists": False}
    assert seen["command"] == {"out": "at creation\n", "err": "err\n", "code": 0}
    assert (seen["failed"], seen["typed"], seen["screen"]) == (3, "typed\n", True)
    assert seen["news"] == ["new", True]
    assert (seen["paused"], seen["again"]) == ([True, False], "41")
    assert (seen["listed"], seen["killed"]) == (1, [True, False])
