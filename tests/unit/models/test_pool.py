"""The connections to models: made once for a loop, and not while it stands still."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import pytest

from agentrun.models import pool
from agentrun.models.http import httpx


async def test_certificates_are_read_off_the_loop(monkeypatch: pytest.MonkeyPatch):
    made, read = httpx.create_ssl_context, list[threading.Thread]()

    def noticed(*args: Any, **options: Any) -> Any:
        read.append(threading.current_thread())
        return made(*args, **options)

    pool._tls.cache_clear()
    monkeypatch.setattr(httpx, "create_ssl_context", noticed)
    await pool.client()
    assert len(read) == 1 and threading.current_thread() not in read


async def test_all_who_ask_at_once_get_the_same():
    first, *others = await asyncio.gather(*(pool.client() for _ in range(10)))
    assert all(other is first for other in others) and await pool.client() is first


def test_each_loop_has_its_own_which_ends_with_it():
    one, other = (asyncio.run(pool.client()) for _ in range(2))
    assert one is not other and one.is_closed and other.is_closed
