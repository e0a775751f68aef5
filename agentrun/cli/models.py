"""`agentrun models`: what names there are and what they stand for, and a live test of one."""

from __future__ import annotations

import time
from typing import Annotated, Any

import typer
from rich.console import Console

from agentrun.cli import output
from agentrun.errors import AgentRunError, ConfigError
from agentrun.models import listen, names, resolve

models = typer.Typer(
    no_args_is_help=True, add_completion=False, help="Models by name. Each command takes --json."
)
_Json = Annotated[bool, typer.Option("--json", help="One JSON object.")]


@models.command("list")
def list_models(as_json: _Json = False) -> None:
    """Say what each name stands for, and where that is written; the default comes first."""
    found = [_entry(name) for name in ("default", *sorted(names()))]
    if as_json:
        output.data({"models": found})
        return
    for entry in found:
        typer.echo(entry["error"] or entry["description"])


def _entry(name: str) -> dict[str, Any]:
    try:
        model = resolve(name)
    except ConfigError as error:
        return {"name": name, "source": names().get(name), "description": None, "error": str(error)}
    return {"name": name, "source": model.source, "description": model.describe(), "error": None}


@models.command()
def test(
    name: Annotated[
        str, typer.Argument(help="A name from `agentrun models list`, or provider/model.")
    ] = "default",
    question: Annotated[str, typer.Option("--ask", help="What to ask it.")] = "Hello!",
    as_json: _Json = False,
) -> None:
    """Ask a model one question, and say how long it took and what it cost."""
    from openai import APIError

    model = resolve(name)
    if not as_json:
        output.note(model.describe())
    try:
        with Console(stderr=True).status("waiting for the first token") as status, listen() as ledger:
            began = time.perf_counter()
            first: float | None = None
            answer = ""
            messages: Any = [{"role": "user", "content": question}]
            for chunk in model.client.chat.completions.create(model=model.id, messages=messages, stream=True):
                for choice in chunk.choices:
                    if choice.delta.content:
                        first = first or time.perf_counter() - began
                        answer += choice.delta.content
                        status.update(f"{len(answer)} characters")
            took = time.perf_counter() - began
    except APIError as error:
        raise AgentRunError(f'"{name}" gave no answer: {error.message}', code="model_error") from error
    measured = {
        "first_token_ms": None if first is None else round(first * 1000),
        "took_ms": round(took * 1000),
        "input_tokens": ledger.input_tokens,
        "output_tokens": ledger.output_tokens,
        "usd": ledger.usd,
    }
    if as_json:
        output.data({"name": name, "model": model.id, "answer": answer, **measured})
        return
    typer.echo(answer)
    cost = "price unknown" if ledger.usd is None else f"{ledger.usd:.6f} USD"
    waited = "no text" if first is None else f"first token after {measured['first_token_ms']} ms"
    output.note(
        f"{waited}, {took:.1f} s in all, {ledger.input_tokens} + {ledger.output_tokens} tokens, {cost}"
    )
