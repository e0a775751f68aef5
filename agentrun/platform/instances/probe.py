"""Probe: does an instance answer? Any answer below 500 is one; a path that the program does not know is as good as none."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress

from agentrun.resources import HealthCheck

_SOON_S = 0.01
_LATER_S = 0.1
_HURRY_S = 5.0  # for so long it is asked often
_HEAD = 4096


async def until_ready(host: str, port: int, health: HealthCheck, alive: Callable[[], bool]) -> str:
    """Ask until it is ready, is not alive or has had its time: what is wrong then, or nothing."""
    loop = asyncio.get_running_loop()
    began = loop.time()
    problem, good = "nothing listens on its port", 0
    while alive() and loop.time() - began < health.initial_delay_s + health.start_timeout_s:
        problem = await ask(host, port, health)
        good = 0 if problem else good + 1
        if good >= health.success_threshold:
            return ""
        await asyncio.sleep(_SOON_S if loop.time() - began < _HURRY_S else _LATER_S)
    waited = health.initial_delay_s + health.start_timeout_s
    return f"{problem} ({port}) after {waited:g} s"


async def ask(host: str, port: int, health: HealthCheck) -> str:
    """What is wrong, or nothing."""
    try:
        status = await asyncio.wait_for(_status(host, port, health.path), health.timeout_s)
    except asyncio.TimeoutError:
        return f"GET {health.path} gave no answer within {health.timeout_s:g} s"
    except ConnectionRefusedError:
        return "nothing listens on its port"
    except (OSError, ValueError, IndexError):
        return f"GET {health.path} gave no HTTP answer"
    return f"GET {health.path} answered {status}" if status >= 500 else ""


async def _status(host: str, port: int, path: str) -> int:
    reader, writer = await asyncio.open_connection(host, port, limit=_HEAD)
    try:
        writer.write(f"GET {path} HTTP/1.1\r\nhost: {host}:{port}\r\nconnection: close\r\n\r\n".encode())
        line = await reader.readline()
        return int(line.split()[1])
    finally:
        writer.close()
        with suppress(OSError):
            await writer.wait_closed()
