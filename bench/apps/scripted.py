"""The one trivial agent behind every app. The last message says what it does:

hello          'hello world'
burst N        N tokens 'tok ', no pause
drip N MS      N tokens, MS milliseconds between two
hold N         N tokens, then silence
watch N MS     the same, and writes down when it was closed
endless        tokens without a pause or an end, and writes down when it was closed
sleep MS       (sync) blocks, then 'done'
fail N         N tokens, then an exception
"""

import asyncio
import os
import time

SYNC = os.environ.get("BENCH_AGENT") == "sync"
CLOSED = os.environ.get("BENCH_CLOSED")  # file that gets one line for each agent closed: tokens, time
TOKEN = "tok "


def parse(prompt):
    kind, *numbers = prompt.split()
    count = int(numbers[0]) if numbers else 1
    return kind, count, int(numbers[1]) / 1000 if len(numbers) > 1 else 0.0


async def stream(prompt):
    kind, count, pause = parse(prompt)
    if kind == "hello":
        yield "hello world"
    elif kind == "burst":
        for _ in range(count):
            yield TOKEN
    elif kind == "drip":
        for i in range(count):
            if i:
                await asyncio.sleep(pause)
            yield TOKEN
    elif kind == "hold":
        for _ in range(count):
            yield TOKEN
        await asyncio.sleep(3600)
    elif kind == "fail":
        for _ in range(count):
            yield TOKEN
        raise RuntimeError("as asked")
    else:
        sent = 0
        try:
            while sent < count or kind == "endless":
                if sent and pause:
                    await asyncio.sleep(pause)
                sent += 1
                yield TOKEN
        finally:
            _closed(sent)


def stream_sync(prompt):
    kind, count, pause = parse(prompt)
    if kind == "hello":
        yield "hello world"
    elif kind == "sleep":
        time.sleep(count / 1000)
        yield "done"
    elif kind == "burst":
        for _ in range(count):
            yield TOKEN
    elif kind == "fail":
        for _ in range(count):
            yield TOKEN
        raise RuntimeError("as asked")
    else:
        sent = 0
        try:
            while sent < count or kind == "endless":
                if sent and pause:
                    time.sleep(pause)
                sent += 1
                yield TOKEN
        finally:
            _closed(sent)


def _closed(sent):
    if CLOSED:
        with open(CLOSED, "a", encoding="utf-8") as file:
            file.write(f"{sent} {time.time()}\n")


async def answer(prompt):
    return "".join([token async for token in stream(prompt)])


def answer_sync(prompt):
    return "".join(stream_sync(prompt))


def uvicorn_options():
    """The same for every app that is given to uvicorn: one worker, no access log."""
    return {
        "host": "127.0.0.1",
        "port": int(os.environ["PORT"]),
        "log_level": "warning",
        "access_log": False,
        "loop": os.environ.get("BENCH_LOOP", "auto"),
        "http": os.environ.get("BENCH_HTTP", "auto"),
    }
