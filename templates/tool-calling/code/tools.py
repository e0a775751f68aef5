"""The tools: a function each, and how the model is told about it."""

import json
from datetime import datetime, timezone


def add(a: float, b: float) -> float:
    return a + b


def multiply(a: float, b: float) -> float:
    return a * b


def current_time() -> str:
    return datetime.now(timezone.utc).isoformat(timespec="seconds")


FUNCTIONS = {function.__name__: function for function in (add, multiply, current_time)}

_TWO_NUMBERS = {
    "type": "object",
    "properties": {"a": {"type": "number"}, "b": {"type": "number"}},
    "required": ["a", "b"],
}


def _tool(name: str, description: str, parameters: dict) -> dict:
    function = {"name": name, "description": description, "parameters": parameters}
    return {"type": "function", "function": function}


TOOLS = [
    _tool("add", "Add two numbers.", _TWO_NUMBERS),
    _tool("multiply", "Multiply two numbers.", _TWO_NUMBERS),
    _tool("current_time", "The current date and time in UTC.", {"type": "object", "properties": {}}),
]


def run(name: str, arguments: str) -> str:
    """What the model is told: the result, or what went wrong, so that it can try again."""
    try:
        return str(FUNCTIONS[name](**json.loads(arguments or "{}")))
    except Exception as error:
        return f"{type(error).__name__}: {error}"
