"""docs/sandbox-service.md: its commands and programs print what it says, against a service started as it says."""

from __future__ import annotations

from pathlib import Path

import pytest
from sandbox.service.conftest import Service, create
from sandbox.service.official import run_officially

from agentrun.sandbox.service.app import api
from agentrun.sandbox.service.boxes import Boxes

from .blocks import Terminal, blocks_of

PAGE = Path(__file__).parents[2] / "docs" / "sandbox-service.md"
URL, CONTROL_URL = "http://127.0.0.1:9100", "https://127.0.0.1:9101"


@pytest.mark.timeout(1200)  # the first time the packages of the original's client are fetched
def test_every_program_prints_what_the_page_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    blocks = blocks_of(PAGE)
    start = blocks[0].text.splitlines()[-1]
    words = start.removeprefix("agentrun sandbox serve").split()
    monkeypatch.setenv("SANDBOX_KEY", "secret")
    with Service(tmp_path, *words, "--control-port", "0") as service:
        with service.client("secret") as client:
            client.delete(f"/sandboxes/{create(client)}")  # or there is none here
        terminal = Terminal(tmp_path)
        for block in blocks[1:]:
            place = f"{PAGE.name}:{block.line}"
            if block.language == "text":
                assert terminal.output == block.text, place
            elif "agentrun-sdk" in block.text:
                done = run_officially(service, "secret", "-c", block.text)
                assert done.returncode == 0, done.stderr
                terminal.output = done.stdout
            elif not block.text.startswith("export"):
                terminal.run(block._replace(text=block.text.replace(URL, service.url)))


def test_the_lines_for_the_original_client_are_those_that_are_printed(tmp_path: Path):
    exports = next(block.text for block in blocks_of(PAGE) if block.text.startswith("export"))
    with Service(tmp_path, "--control", "--control-port", "0") as service:
        bundle = Path(service.said["bundle"])
        assert bundle.is_file()
        assert f"~/{bundle.relative_to(tmp_path)}" in exports
        assert URL in exports and CONTROL_URL in exports


def test_every_path_is_on_the_page():
    page = PAGE.read_text("utf-8")
    known = [path.removeprefix("/sandboxes/{id}") for path in api(Boxes(), []).openapi()["paths"]]
    # those of browsers are on a page of their own
    ours = [
        path for path in known if not path.startswith(("/browser", "/liveview", "/recordings", "/sandboxes"))
    ]
    assert [path for path in ours if path.rpartition("/")[2] not in page] == []
