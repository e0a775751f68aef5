"""The page that says which client was right with which feature of which wire, out of the marks and the outcomes of the tests."""

from __future__ import annotations

import json
import platform
import re
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from importlib import metadata
from pathlib import Path
from typing import NamedTuple
from xml.etree import ElementTree

from wire.clients import CLIENTS
from wire.features import FEATURES, WIRES
from wire.proofs import Proof

PASS, FAIL, NOT_RUN = "pass", "**fail**", "not run"
NODE_MODULES = Path(__file__).parent / "node" / "node_modules"
INTRODUCTION = """# Conformance

Which real clients read which wire, and what of it. `make conformance` runs the tests of the wires and prints this page;
`scripts/conformance --write` writes it. Nothing of it is written by hand: a test says whose eyes it sees with
and what it shows, and the cell is what became of it.

**pass**: every test of it passed. **fail**: at least one did not. **not run**: it could not be tried here, and why is said
below, also of single tests of a cell that passed. An empty cell: no test of that client is about that feature.
"""


class Outcome(NamedTuple):
    """What became of a test, and the reason where it was not run."""

    result: str
    reason: str = ""


def outcomes(report: Path) -> dict[tuple[str, str], list[Outcome]]:
    """Of each test and class, by its file and name, out of pytest's JUnit report; several where it has parameters."""
    found: dict[tuple[str, str], list[Outcome]] = {}
    for case in ElementTree.parse(report).iter("testcase"):
        path = case.attrib["classname"].split(".")
        file = next(part for part in path if part.startswith("test_"))
        for name in (case.attrib["name"].partition("[")[0], *path[path.index(file) + 1 :]):
            found.setdefault((file, name), []).append(_outcome(case))
    return found


def _outcome(case: ElementTree.Element) -> Outcome:
    if case.find("failure") is not None or case.find("error") is not None:
        return Outcome(FAIL)
    skipped = case.find("skipped")
    return Outcome(PASS) if skipped is None else Outcome(NOT_RUN, skipped.attrib.get("message", ""))


def cell(tests: Iterable[Outcome]) -> Outcome:
    """One word for all tests: a failure outweighs what passed, which outweighs what was not run."""
    ranked = sorted(tests, key=lambda one: (FAIL, PASS, NOT_RUN).index(one.result))
    if not ranked:
        return Outcome(NOT_RUN, "its tests were not started")
    return Outcome(ranked[0].result, "; ".join(sorted({one.reason for one in ranked if one.reason})))


Cells = dict[tuple[str, str, str], Outcome]


def cells(proofs: Sequence[Proof], seen: Mapping[tuple[str, str], list[Outcome]]) -> Cells:
    """(wire, feature, client) -> what became of the tests that are about it."""
    tests: dict[tuple[str, str, str], list[Outcome]] = {}
    for proof in proofs:
        of_it = tests.setdefault((proof.wire, proof.feature, proof.client), [])
        of_it.extend(seen.get((proof.file, proof.test), []))
    return {key: cell(of_it) for key, of_it in tests.items()}


def page(board: Cells) -> str:
    """The whole page."""
    parts = [INTRODUCTION, "## Wire and feature\n", _overview(board)]
    for wire, title in WIRES.items():
        parts += [f"## {title}\n", _of_wire(wire, board)]
    return "\n".join([*parts, "## Clients\n", _clients(board), *_not_run(board)])


def _overview(board: Cells) -> str:
    rows = [
        [title, *(_sum([one for key, one in board.items() if key[:2] == (wire, feature)]) for wire in WIRES)]
        for feature, title in FEATURES.items()
    ]
    said = "The number of clients that were right, of those that tried.\n\n"
    return said + _table(["feature", *WIRES.values()], rows)


def _sum(tried: list[Outcome]) -> str:
    if not tried:
        return ""
    right = sum(one.result == PASS for one in tried)
    return f"{right} of {len(tried)}"


def _of_wire(wire: str, board: Cells) -> str:
    clients = [client for client in CLIENTS if any(key[::2] == (wire, client) for key in board)]
    rows = []
    for feature, title in FEATURES.items():
        row = [board.get((wire, feature, client)) for client in clients]
        if any(row):
            rows.append([title, *(one.result if one else "" for one in row)])
    return _table(["feature", *(CLIENTS[client].name for client in clients)], rows)


def _clients(board: Cells) -> str:
    rows = []
    for client, (name, package) in CLIENTS.items():
        tried = [one.result for key, one in board.items() if key[2] == client]
        counts = ", ".join(f"{tried.count(word)} {word}" for word in (PASS, FAIL, NOT_RUN) if word in tried)
        rows.append([name, package.partition(":")[2], version(package), counts or NOT_RUN])
    return _table(["client", "package", "version", "cells"], rows)


def _not_run(board: Cells) -> list[str]:
    """What was left out, of cells that passed too."""
    left: dict[tuple[str, str, str], list[str]] = {}
    for (wire, feature, client), one in board.items():
        if one.reason:
            left.setdefault((wire, client, one.reason), []).append(FEATURES[feature])
    lines = [
        f"- {WIRES[wire]}, {CLIENTS[client].name} ({', '.join(features)}): {reason}"
        for (wire, client, reason), features in left.items()
    ]
    return ["## Not run\n", *lines, ""] if lines else []


def version(package: str) -> str:
    """The version of it that is installed here."""
    kind, _, name = package.partition(":")
    if kind == "npm":
        file = NODE_MODULES / name / "package.json"
        return json.loads(file.read_text(encoding="utf-8"))["version"] if file.exists() else "not installed"
    if kind == "command":
        said = subprocess.run([name, "--version"], capture_output=True, encoding="utf-8").stdout
        return (re.findall(r"\d[\d.]+", said) or ["unknown"])[0]
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return f"not installed (Python {platform.python_version()})"


def _table(head: list[str], rows: list[list[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def keys(page: str) -> set[tuple[str, str, str]]:
    """The (wire, feature, client) that a page has a cell for."""
    wires = {title: wire for wire, title in WIRES.items()}
    features = {title: feature for feature, title in FEATURES.items()}
    clients = {client.name: id for id, client in CLIENTS.items()}
    found: set[tuple[str, str, str]] = set()
    for section in page.split("\n## ")[1:]:
        title, _, rest = section.partition("\n")
        if title not in wires:
            continue
        head, _, *rows = (
            [part.strip() for part in line.split("|")[1:-1]] for line in rest.strip().split("\n")
        )
        for row in rows:
            asked = zip(head[1:], row[1:], strict=True)
            found |= {(wires[title], features[row[0]], clients[name]) for name, said in asked if said}
    return found
