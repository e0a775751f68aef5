"""Adds up what the Runs of a server cost, by model: python report.py [URL]."""

import json
import sys
from collections import defaultdict
from typing import Any
from urllib.request import urlopen


def report(runs: list[dict[str, Any]]) -> list[str]:
    tokens: dict[str, int] = defaultdict(int)
    dollars: dict[str, float | None] = defaultdict(float)
    for model in (model for run in runs if run["cost"] for model in run["cost"]["models"]):
        name, so_far, usd = model["model"], dollars[model["model"]], model["usd"]
        tokens[name] += model["input_tokens"] + model["output_tokens"]
        # what has an unknown part is unknown as a whole
        dollars[name] = None if so_far is None or usd is None else so_far + usd
    return [f"{name}: {tokens[name]} tokens, {_words(dollars[name])}" for name in sorted(tokens)]


def _words(usd: float | None) -> str:
    return "price unknown" if usd is None else f"{usd:.6f} USD"


if __name__ == "__main__":
    url = sys.argv[1] if len(sys.argv) > 1 else "http://127.0.0.1:9000"
    with urlopen(f"{url}/runs") as answer:
        known = json.load(answer)["data"]
    print(f"{len(known)} runs", *report(known), sep="\n")
