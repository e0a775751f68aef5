"""Works out an arithmetic expression: numbers, + - * / // % ** and brackets, nothing else."""

from __future__ import annotations

import ast
import operator
import re
from collections.abc import Callable

Number = int | float

_BINARY: dict[type[ast.operator], Callable[[Number, Number], Number]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: lambda left, right: left / right,
    ast.FloorDiv: lambda left, right: left // right,
    ast.Mod: operator.mod,
}
_LARGEST = 10**15
_LARGEST_POWER = 64


def clean(text: str) -> str:
    """The signs people write, as Python writes them."""
    text = text.replace("×", "*").replace("÷", "/").replace("^", "**")
    text = re.sub(r"(?<=[\d)\s])[xX](?=[\s\d(])", "*", text)
    return re.sub(r"(?<=\d),(?=\d{3}\b)", "", text).strip(" .,")


def has_operator(text: str) -> bool:
    """Whether there is something to work out: not so in a date, a range of numbers or a lone number."""
    if re.fullmatch(r"\d+(-\d+){1,2}|\d+(/\d+){2}", text):
        return False
    return re.search(r"[\d)]\s*(\*\*|//|[-+*/%])\s*[-(\d]", text) is not None


def value(text: str) -> Number | None:
    """The result, or None where it is no such expression, or too large."""
    try:
        return _work_out(ast.parse(text, mode="eval").body)
    except (SyntaxError, ValueError, ZeroDivisionError, OverflowError, RecursionError):
        return None


def shown(number: Number) -> str:
    """As a person writes it."""
    if isinstance(number, float):
        return str(int(number)) if number.is_integer() and abs(number) < _LARGEST else f"{number:.10g}"
    return str(number)


def _work_out(node: ast.expr) -> Number:
    match node:
        case ast.Constant(value=int() | float() as number) if not isinstance(number, bool):
            return number
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            return -_work_out(operand)
        case ast.UnaryOp(op=ast.UAdd(), operand=operand):
            return _work_out(operand)
        case ast.BinOp(left=left, op=ast.Pow(), right=right):
            base, power = _work_out(left), _work_out(right)
            if abs(power) > _LARGEST_POWER or abs(base) > _LARGEST:
                raise OverflowError
            result = base**power
            if isinstance(result, complex):
                raise ValueError
            return result
        case ast.BinOp(left=left, op=op, right=right) if type(op) in _BINARY:
            return _BINARY[type(op)](_work_out(left), _work_out(right))
        case _:
            raise ValueError
