"""Sandboxes of type custom: a command of the template, on the port it is told."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from agentrun.errors import ConfigError, SandboxCrashed, SandboxError, SandboxTimeout
from agentrun.sandbox import Sandbox, SyncSandbox, TemplateType, records

from .conftest import create

SERVE = "exec python3 -m http.server $PORT --bind 127.0.0.1"


def custom(command: str | list[str] = SERVE, **changes: object) -> SyncSandbox:
    return create(type="custom", command=command, **{"port": 8080, "warm": 0, **changes})


def test_it_is_there_when_it_answers():
    with custom(health="/") as box:
        assert box.template.type is TemplateType.CUSTOM
        with box.port().client() as client:
            assert client.get("/").status_code == 200
        assert box.run("1 + 1").text == "2"


def test_the_command_may_be_words():
    with custom(["python3", "-m", "http.server", "8080"]) as box, box.port().client() as client:
        assert client.get("/").status_code == 200


def test_it_begins_with_files_and_a_snapshot(tmp_path: Path):
    page = tmp_path / "page.html"
    page.write_text("from here", encoding="utf-8")
    with create(warm=0) as first:
        first.files.write("old.html", "from before")
        tar = b"".join(first.snapshot())
    with (
        custom(files={"/home/user/page.html": str(page)}, snapshot=[tar]) as box,
        box.port().client() as client,
    ):
        assert client.get("/page.html").text == "from here"
        assert client.get("/old.html").text == "from before"


def test_a_command_that_ends_too_early_is_told_with_its_last_words():
    before = set(records.folder().iterdir())
    with pytest.raises(
        SandboxError, match=r"exit code 3 before it answered on port 8080(.|\n)*no such thing"
    ):
        custom("echo no such thing >&2; exit 3")
    assert {path for path in set(records.folder().iterdir()) - before if path.suffix != ".sock"} == set()


def test_a_command_that_does_not_listen_is_told_with_its_last_words():
    with pytest.raises(SandboxTimeout, match=r"within 0\.5 s(.|\n)*thinking"):
        custom("echo thinking; sleep 60", start_s=0.5)


def test_the_sandbox_ends_with_its_command():
    with custom() as box:
        box.processes.run("pkill -KILL -f http.server")
        assert box.wait() == "its command has ended with exit code -9"
        with pytest.raises(SandboxCrashed, match="its command has ended"):
            box.run("1")


def test_what_it_says_is_in_the_log():
    with custom(f"echo 'here I am'; {SERVE}") as box:
        log = records.folder() / f"{box.id}.log"
        assert "here I am" in log.read_text(encoding="utf-8")


async def test_a_log_without_end_is_bounded():
    async with Sandbox.create(
        type="custom", command=f"(yes | head -c 30000000) & {SERVE}", port=8080, warm=0
    ) as box:
        assert (await box.run("1 + 1")).text == "2"
        assert len(await asyncio.to_thread((records.folder() / f"{box.id}.log").read_bytes)) < 2 << 20


def test_the_keys_are_checked_before_anything_starts():
    with pytest.raises(ConfigError, match="needs both command and port"):
        SyncSandbox.create(type="custom", command="true")
    with pytest.raises(ConfigError, match="belong to type: custom"):
        SyncSandbox.create(command="true", port=1)
