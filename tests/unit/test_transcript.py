"""What a transcript tells is the beginning of what it gives in the end."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from agentrun.sandbox.toolset.transcript import Transcript, clipped


@given(st.lists(st.text(st.sampled_from("ab\n"), max_size=20)), st.integers(1, 50))
def test_told_early_is_the_beginning_of_the_end(pieces: list[str], limit: int):
    told: list[str] = []
    transcript = Transcript(told.append, limit)
    for piece in pieces:
        transcript.add(piece)
    whole = "".join(pieces).removesuffix("\n")
    assert transcript.text().startswith("".join(told))
    if len(whole) <= limit // 2:
        assert transcript.text() == "".join(told) == whole
    elif "left out" not in transcript.text():
        assert transcript.text() == whole


def test_a_note_is_on_a_line_of_its_own():
    transcript = Transcript(lambda _: None, 1000)
    transcript.add_line("[first]")
    transcript.add("one")
    transcript.add_line("[exit code 1]")
    transcript.add_line("[lost]")
    assert transcript.text() == "[first]\none\n[exit code 1]\n[lost]"


def test_the_middle_is_counted():
    assert clipped("a" * 60 + "b" * 40, 20) == f"{'a' * 10}\n[80 characters are left out here]\n{'b' * 10}"
