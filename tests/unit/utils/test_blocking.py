"""Blocking calls are seen before they block, and those that run elsewhere are left alone."""

from __future__ import annotations

import functools
import textwrap
import types
import urllib.request  # what is searched for has to be imported somewhere

import pytest

from agentrun.agent import Agent
from agentrun.utils import blocking


def agent_of(source: str) -> object:
    """`agent` of a module of this source."""
    module = types.ModuleType("app")
    exec(compile(textwrap.dedent(source), "app.py", "exec"), module.__dict__)
    return module.agent


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("import time\nasync def agent(r):\n    time.sleep(1)", "time.sleep at app.py:3"),
        ("from time import sleep\nasync def agent(r):\n    yield 1\n    sleep(1)", "sleep at app.py:4"),
        ("import time as t\nasync def agent(r):\n    t.sleep(1)", "t.sleep at app.py:3"),
        ("async def agent(r):\n    import time\n    time.sleep(1)", "time.sleep at app.py:3"),
        ("async def agent(r):\n    from time import sleep\n    sleep(1)", "time.sleep at app.py:2"),
        ("import urllib.request\nasync def agent(r):\n    urllib.request.urlopen('x')", "urlopen at app.py:3"),
        ("async def agent(r):\n    import urllib.request\n    urllib.request.urlopen('x')", "urlopen at app.py:3"),
        ("async def agent(r):\n    import urllib.request as u\n    u.urlopen('x')", "u.urlopen at app.py:3"),
        ("import subprocess\nasync def agent(r):\n    subprocess.run('x')", "subprocess.run at app.py:3"),
        ("async def agent(r):\n    input()", "input at app.py:2"),
        ("import time\ndef ask():\n    time.sleep(1)\nasync def agent(r):\n    ask()", "time.sleep at app.py:3"),
        (
            "import time\nasync def agent(r):\n    def ask():\n        time.sleep(1)\n    yield ask()",
            "time.sleep at app.py:4",
        ),
        (
            "import time\nclass Agent:\n    async def __call__(self, r):\n        time.sleep(1)\nagent = Agent()",
            "time.sleep at app.py:4",
        ),
        (
            "import asyncio, time\nasync def agent(r):\n    await asyncio.to_thread(print, 1)\n    time.sleep(1)",
            "time.sleep at app.py:4",
        ),
    ],
)  # fmt: skip
def test_a_blocking_call_is_found(source, found):
    agent = agent_of(source)
    assert (blocking.find(agent) or "").endswith(found)
    assert (blocking.find(functools.partial(agent)) or "").endswith(found)
    assert Agent(agent).blocks is not None


@pytest.mark.parametrize(
    "source",
    [
        "import asyncio\nasync def agent(r):\n    await asyncio.sleep(1)",
        "import asyncio, time\nasync def agent(r):\n    await asyncio.to_thread(time.sleep, 1)",
        "async def agent(r):\n    import asyncio, time\n    await asyncio.to_thread(time.sleep, 1)",
        "import time\nfrom asyncio import to_thread\nasync def agent(r):\n    await to_thread(time.sleep, 1)",
        "import time\nasync def agent(r, loop=None):\n    await loop.run_in_executor(None, time.sleep, 1)",
        "import time\nasync def agent(r):\n    return time.time()",
        "async def agent(r):\n    nowhere.sleep(1)",
        "def ask(n):\n    return ask(n)\nasync def agent(r):\n    ask(1)",
    ],
)
def test_what_does_not_block_is_left_alone(source):
    assert blocking.find(agent_of(source)) is None


def test_looking_imports_nothing():
    lazy = types.ModuleType("lazy")

    def load(name: str) -> object:
        raise ImportError(f"{name} would have been imported")

    lazy.__getattr__ = load
    agent = agent_of("async def agent(r):\n    lazy.heavy(1)")
    agent.__globals__["lazy"] = lazy
    assert blocking.find(agent) is None


@pytest.mark.parametrize(
    "thing", [None, 1, print, object(), urllib.request.urlopen, functools.partial(print)]
)
def test_what_has_no_source_is_left_alone(thing):
    assert blocking.find(thing) is None or thing is urllib.request.urlopen
