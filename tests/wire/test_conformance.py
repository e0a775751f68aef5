"""docs/conformance.md is about the tests that there are; what became of them is the machine's that ran them."""

from __future__ import annotations

from pathlib import Path

import pytest
from wire.clients import CLIENTS, seen_by, shows
from wire.features import FEATURES, WIRES, feature_of
from wire.proofs import Proof, proofs
from wire.requirements import REQUIREMENTS
from wire.scoreboard import FAIL, NOT_RUN, PASS, Outcome, cell, cells, keys, outcomes, page

PAGE = Path(__file__).parents[2] / "docs" / "conformance.md"


def test_the_page_has_the_rows_of_the_tests():
    there = {(proof.wire, proof.feature, proof.client) for proof in proofs()}
    assert keys(PAGE.read_text(encoding="utf-8")) == there, "scripts/conformance --write writes it anew"


def test_every_requirement_belongs_to_a_feature():
    assert [id for id in REQUIREMENTS if feature_of(id) not in FEATURES] == [], "add it to features.py"


def test_every_wire_and_every_client_is_tried():
    assert {proof.wire for proof in proofs()} == set(WIRES)
    assert {proof.client for proof in proofs()} == set(CLIENTS)
    assert {proof.wire for proof in proofs() if proof.feature == "same"} == set(WIRES)


def test_marks_that_mean_nothing_are_refused():
    with pytest.raises(AssertionError, match="there is no client 'nobody'"):
        seen_by("nobody")
    with pytest.raises(AssertionError):
        shows("chat", "nothing")


def test_one_failure_outweighs_all_and_what_was_not_run_is_no_pass():
    passed, failed, left = Outcome(PASS), Outcome(FAIL), Outcome(NOT_RUN, "no Node")
    assert cell([passed, failed, left]).result == FAIL
    assert cell([passed, left]) == Outcome(PASS, "no Node")
    assert cell([left]) == left
    assert cell([]).result == NOT_RUN


def test_a_report_becomes_a_page(tmp_path: Path):
    report = tmp_path / "report.xml"
    report.write_text(
        """<testsuites><testsuite>
        <testcase classname="tests.wire.test_x" name="test_a[1]"/>
        <testcase classname="tests.wire.test_x" name="test_a[2]"><failure message="no"/></testcase>
        <testcase classname="tests.wire.test_x.TestOf" name="test_b"><skipped message="no Node"/></testcase>
        <testcase classname="tests.wire.test_x" name="test_c"/>
        </testsuite></testsuites>""",
        encoding="utf-8",
    )
    known = [
        Proof("chat", "text", "curl", "test_x", "test_a"),
        Proof("chat", "stream", "curl", "test_x", "test_b"),
        Proof("mcp", "text", "httpx", "test_x", "test_c"),
        Proof("mcp", "text", "curl", "test_x", "test_that_did_not_start"),
    ]
    said = page(cells(known, outcomes(report)))
    assert keys(said) == {(proof.wire, proof.feature, proof.client) for proof in known}
    assert "| whole answers | **fail** |" in said
    assert "| whole answers | not run | pass |" in said
    assert "- OpenAI chat completions, curl and raw sockets (streamed answers): no Node" in said
