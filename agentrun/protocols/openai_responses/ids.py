"""Ids on this wire, each made of the Run's: of an answer, of its items, of its questions."""

from __future__ import annotations


def response_id(run_id: str) -> str:
    """The id of a Run's answer."""
    return "resp_" + run_id[4:]


def run_of_response(id: str) -> str:
    """The Run whose answer this is."""
    return "run_" + id.removeprefix("resp_")


def item_id(prefix: str, run_id: str, name: str) -> str:
    """The id of an item."""
    return f"{prefix}_{run_id[4:]}_{name}"


def run_of_item(id: str) -> str:
    """The Run that an item is of."""
    _, _, rest = id.partition("_")
    return "run_" + rest.partition("_")[0]


def question_of(id: str) -> str:
    """The agent's own id of a question."""
    return id.split("_", 2)[-1]
