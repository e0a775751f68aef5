"""`python -m bench`: measure the peers side by side, print the tables, and with --write put them into the document."""

from __future__ import annotations

import argparse
import gc
import json
import os
import sys
import time
from collections import defaultdict
from pathlib import Path

from bench import document, proc, table
from bench.cases import CASES
from bench.fleet import QUICK, Fleet, Plan
from bench.peers import PEERS, USUAL
from bench.server import ROOT

_FILES = 2200  # the most streams that are open at once, and what else a process has


def main() -> int:
    options = _options()
    plan = options.plan
    if proc.raise_file_limit() < _FILES:
        print(f"At least {_FILES} open files are needed; this process may have fewer. See `ulimit -Hn`.")
        return 1
    proc.pin(proc.LOAD_CORE)
    gc.disable()  # a collection in the load would count as the server's latency
    began = time.monotonic()
    results, failures = measure(options.peers, options.only, plan, dict(options.venv))
    tables = table.markdown(results)
    text = document.circumstances(_command(options), plan) + _warnings(results) + "\n\n" + tables
    print(f"\n{text}\n\n{time.monotonic() - began:.0f} s")
    if options.json:
        options.json.write_text(json.dumps(results, indent=1), "utf-8")
    for failure in failures:
        print(failure, file=sys.stderr)
    if options.write and not failures:
        document.write(options.write, text)
    return 1 if failures else 0


def measure(
    peers: list[str], cases: list[str], plan: Plan, pythons: dict[str, str]
) -> tuple[table.Results, list[str]]:
    """Round by round, in each round case by case, in each case peer by peer: what disturbs, disturbs all alike."""
    results: dict[str, dict[str, list[dict[str, float]]]] = defaultdict(lambda: defaultdict(list))
    failures: list[str] = []
    with Fleet(plan, pythons) as fleet:
        for number in range(plan.rounds):
            for case in cases:
                turns = CASES[case].takes(peers)
                # another one is the first in each round
                for peer in turns[number % (len(turns) or 1) :] + turns[: number % (len(turns) or 1)]:
                    try:
                        numbers = CASES[case].measure(fleet, peer)
                    except (OSError, RuntimeError) as error:
                        failures.append(f"{case} of {peer}, round {number + 1}: {error}")
                        numbers = {}
                    results[case][peer].append(numbers)
                    shown = "  ".join(f"{key} {value:,.3g}" for key, value in numbers.items())
                    print(f"{number + 1}/{plan.rounds} {case:9} {peer:20} {shown or 'failed'}", flush=True)
    return results, failures


def _warnings(results: table.Results) -> str:
    """What makes the figures worth less."""
    shares = [
        numbers
        for case in ("whole", "burst")
        for rounds in results.get(case, {}).values()
        for numbers in rounds
        if "server_share" in numbers
    ]
    text = ""
    if any(numbers["load_share"] > 0.95 for numbers in shares):
        text += " The load had no room left on its core in at least one round."
    got = min((numbers["server_share"] for numbers in shares), default=1.0)
    if got < 0.9:
        text += (
            f" Where the load wants all that a server can give, one got as little as {got:.0%} of its core."
        )
    return text


def _command(options: argparse.Namespace) -> str:
    """What measures the same again."""
    words = ["python -m bench"]
    if options.quick:
        words.append("--quick")
    for name in ("rounds", "seconds"):
        value = getattr(options, name)
        if value is not None:
            words.append(f"--{name} {value:g}")
    for name, usual in (("only", list(CASES)), ("peers", list(USUAL))):
        value = getattr(options, name)
        if value != usual:
            words.append(f"--{name} {','.join(value)}")
    return " ".join(words)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser("python -m bench", description=__doc__)
    parser.add_argument("--only", type=_names(CASES), default=list(CASES), help=", ".join(CASES))
    parser.add_argument("--peers", type=_names(PEERS), default=list(USUAL), help=", ".join(PEERS))
    parser.add_argument(
        "--quick", action="store_true", default=bool(os.environ.get("QUICK")), help="one short round"
    )
    parser.add_argument("--rounds", type=int, help="how often everything is measured")
    parser.add_argument("--seconds", type=float, help="how long each load is measured")
    parser.add_argument("--json", type=Path, help="file for every number of every round")
    parser.add_argument(
        "--write", type=Path, nargs="?", const=ROOT / "docs" / "performance.md", help="document"
    )
    parser.add_argument(
        "--venv", type=_pair, action="append", default=[], help="PEER=PYTHON for a peer with its own"
    )
    options = parser.parse_args()
    for name in options.peers:
        if PEERS[name].own_venv and name not in dict(options.venv):
            parser.error(f"{name} needs an environment of its own: --venv {name}=PATH/bin/python")
    options.plan = QUICK if options.quick else Plan()
    if options.rounds:
        options.plan = options.plan._replace(rounds=options.rounds)
    if options.seconds:
        options.plan = options.plan._replace(seconds=options.seconds, drip_seconds=options.seconds)
    return options


def _names(known: dict[str, object]):
    def parse(text: str) -> list[str]:
        chosen = [
            name
            for part in text.split(",")
            for name in known
            if name == part or name.rstrip("0123456789") == part
        ]
        unknown = set(text.split(",")) - set(chosen) - {name.rstrip("0123456789") for name in chosen}
        if unknown:
            raise argparse.ArgumentTypeError(f"{', '.join(sorted(unknown))}: there are {', '.join(known)}")
        return chosen

    return parse


def _pair(text: str) -> tuple[str, str]:
    name, _, python = text.partition("=")
    return name, str(Path(python).absolute())


if __name__ == "__main__":
    sys.exit(main())
