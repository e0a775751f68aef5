"""Which pictures are put into a request, and where."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from agentrun.models.sight import with_pictures
from agentrun.pictures import Picture, start_showing, stop_showing
from agentrun.run.artifacts import Artifacts


class Gallery:
    def __init__(self) -> None:
        self.artifacts = Artifacts()

    def picture(self, url: str) -> Picture | None:
        kept = self.artifacts.at(url, {"run_1"})
        return None if kept is None else Picture(kept.media_type, kept.data)


@pytest.fixture
def gallery() -> Iterator[Gallery]:
    made = Gallery()
    token = start_showing(made)
    yield made
    stop_showing(token)


def drawn(gallery: Gallery, run_id: str = "run_1", media_type: str = "image/png") -> str:
    kept = gallery.artifacts.add(run_id, "image.png", media_type, b"dot")
    assert kept is not None
    return f"[image: {kept.url}]"


def result(content: Any) -> dict[str, Any]:
    return {"role": "tool", "tool_call_id": "c", "content": content}


def seen(*messages: dict[str, Any]) -> list[Any] | None:
    """The roles after pictures were put in; of those who show some, how many."""
    fields = {"model": "m", "messages": list(messages)}
    given = with_pictures(fields, json.dumps(fields).encode())
    if given is None:
        return None
    assert fields["messages"] == list(messages), "what was given is not changed"
    contents = [(message["role"], message["content"]) for message in given["messages"]]
    return [len(said) - 1 if role == "user" and isinstance(said, list) else role for role, said in contents]


def test_the_pictures_follow_all_results_of_their_turn(gallery: Gallery):
    asked, called = {"role": "user", "content": "?"}, {"role": "assistant", "content": None}
    one, two = result(drawn(gallery)), result([{"type": "text", "text": f"two {drawn(gallery)}"}])
    assert seen(asked, called, one, two, called, result(drawn(gallery))) == [
        "user", "assistant", "tool", "tool", 2, "assistant", "tool", 1,
    ]  # fmt: skip


def test_the_latest_are_shown(gallery: Gallery):
    turns = [result(drawn(gallery)) for _ in range(6)]
    between = {"role": "assistant", "content": "next"}
    both = [result(f"{drawn(gallery)} and {drawn(gallery)}"), between]
    assert seen(*both, turns[0], between, *turns) == [
        "tool",
        1,
        "assistant",
        "tool",
        1,
        "assistant",
        *["tool"] * 6,
        6,
    ]


def test_nothing_is_shown_that_another_run_has_made(gallery: Gallery):
    assert seen(result(drawn(gallery, "run_2")), result("[image: /runs/run_1/artifacts/none.png]")) is None


def test_drawings_that_models_cannot_read_stay_notes(gallery: Gallery):
    assert seen(result(drawn(gallery, media_type="image/svg+xml"))) is None


def test_what_a_user_writes_names_no_picture(gallery: Gallery):
    assert seen({"role": "user", "content": drawn(gallery)}) is None


def test_without_a_run_there_are_no_pictures():
    assert seen(result("[image: /runs/run_1/artifacts/image.png]")) is None
