"""The measurement of the encoders runs; what it measures is looked at elsewhere, on a quiet machine."""

from __future__ import annotations

import re

import pytest

from bench import encoders


def test_every_streamed_wire_is_measured(capsys: pytest.CaptureFixture[str]) -> None:
    encoders.main(["--tokens", "200", "--rounds", "1"])
    table, _, _ = capsys.readouterr().out.partition(
        "\n\n"
    )  # what was dear follows, and on a busy machine any may be
    rows = table.splitlines()[2:]
    assert [row.split()[1] for row in rows] == list(encoders.writers())
    assert all(re.fullmatch(r"\| \w+ (\| \d+ \| \d+\.\d\d ){2}\| \d+ \|", row) for row in rows)
