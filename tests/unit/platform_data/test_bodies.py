"""Where a body ends, however it comes in pieces."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentrun.platform.gateway.bodies import BadBody, Body, ChunkedBody


def pieces_of(data, cuts):
    places = sorted({cut % (len(data) + 1) for cut in cuts} | {0, len(data)})
    return [data[a:b] for a, b in zip(places, places[1:], strict=False)]


@given(st.lists(st.binary(min_size=1, max_size=40)), st.binary(max_size=20), st.lists(st.integers(0, 10_000)))
def test_a_chunked_body_ends_at_its_empty_chunk_and_nowhere_else(chunks, after, cuts):
    whole = b"".join(b"%x\r\n%b\r\n" % (len(chunk), chunk) for chunk in chunks) + b"0\r\n\r\n"
    body, taken = ChunkedBody(trailers=False), 0
    for piece in pieces_of(whole + after, cuts):
        if not body.done:
            taken += body.feed(piece)
    assert body.done
    assert taken == body.total == len(whole)


@given(st.integers(0, 100), st.binary(max_size=200), st.lists(st.integers(0, 10_000)))
def test_a_counted_body_ends_after_its_bytes(length, data, cuts):
    body, taken = Body(length), 0
    for piece in pieces_of(data, cuts):
        taken += body.feed(piece)
    assert taken == min(length, len(data))
    assert body.done == (len(data) >= length)


@pytest.mark.parametrize(
    "data",
    [
        b"-1\r\n",
        b"+5\r\n",
        b"0x5\r\n",
        b"5_0\r\n",
        b"\r\n",
        b" 5\r\n",
        b"5\n",
        b"g\r\n",
        b"f" * 16 + b"\r\n",
        b"1" * 5000,
    ],
)
def test_what_is_no_size_of_a_chunk_is_refused(data):
    with pytest.raises(BadBody):
        ChunkedBody(trailers=False).feed(data)


def test_fields_after_a_body_are_passed_on_from_instances_only():
    data = b"0\r\nx-checksum: 1\r\n\r\n"
    answer = ChunkedBody(trailers=True)
    assert answer.feed(data) == len(data)
    assert answer.done
    with pytest.raises(BadBody):
        ChunkedBody(trailers=False).feed(data)


def test_a_frame_of_ones_own_fits_between_chunks_only():
    body = ChunkedBody(trailers=True)
    found = [body.between]
    for piece in (b"5\r\nhel", b"lo\r\n", b"3", b"\r\nabc\r\n", b"0\r\n"):
        body.feed(piece)
        found.append(body.between)
    assert found == [True, False, True, False, True, False]
