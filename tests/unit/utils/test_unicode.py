"""Text that every encoding can carry."""

from hypothesis import given
from hypothesis import strategies as st

from agentrun.utils.unicode import whole


@given(st.text(st.characters()) | st.text(st.characters(categories=["Cs"]) | st.just("\ufeff")))
def test_any_text_becomes_valid_and_valid_text_stays(text):
    found = whole(text)
    assert type(found) is str
    found.encode()
    try:
        text.encode()
    except UnicodeEncodeError:
        assert "\ufffd" in found or len(found) < len(text)
    else:
        assert found == text


def test_halves_that_stand_together_are_one_character():
    assert whole("\ud83d\ude00") == "😀"
    assert whole("a\ud83d") == "a\ufffd"
    assert whole("\ude00\ud83d") == "\ufffd\ufffd"
