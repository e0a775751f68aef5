"""What is kept of too much output."""

from hypothesis import given
from hypothesis import strategies as st

from agentrun.sandbox.clip import Clip


@given(st.text(), st.lists(st.integers(1, 9)), st.integers(2, 60))
def test_head_and_tail_are_kept_however_it_comes(whole: str, sizes: list[int], limit: int):
    clip, data, told = Clip(limit), whole.encode(), ""
    for size in sizes:
        told += clip.add(data[:size])
        data = data[size:]
    told += clip.add(data, final=True)
    assert told == whole[:limit]
    half = limit // 2
    if len(whole) > 2 * half:
        dropped = len(whole) - 2 * half
        assert clip.text() == f"{whole[:half]}\n... {dropped} characters left out ...\n{whole[-half:]}"
    else:
        assert clip.text() == whole
    assert clip.cut == (len(whole) > 2 * half)


def test_the_note_says_how_much_is_missing():
    clip = Clip(10)
    clip.add(b"0123456789" * 10)
    assert clip.text() == "01234\n... 90 characters left out ...\n56789"
