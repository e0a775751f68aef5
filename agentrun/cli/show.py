"""Show: an answer on a terminal as it comes. The text goes to stdout; all else, dimmed, to stderr."""

from __future__ import annotations

import re
import sys

from rich.console import Console
from rich.text import Text

from agentrun.cli.said import Said
from agentrun.events import AnyEvent, InputRequired, PartDelta, PartEnded, PartStarted

_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")
_LONGEST_RESULT = 1000


class Show:
    """Prints the events of one answer."""

    def __init__(self, said: Said) -> None:
        self._said = said
        self._aside = Console(stderr=True, highlight=False, soft_wrap=True)
        self._plain = not sys.stdout.isatty()
        self._open = ""  # the kind of the line that is not ended yet

    def event(self, event: AnyEvent) -> None:
        """Print the next event."""
        match event:
            case PartDelta(kind="text" | "refusal"):
                self._turn_to("text")
                sys.stdout.write(event.text if self._plain else _printable(event.text))
                sys.stdout.flush()
            case PartDelta(kind="reasoning"):
                self._turn_to("reasoning")
                self._aside.print(Text(_printable(event.text), "dim italic"), end="")
            case PartEnded(kind="tool_call"):
                call = self._said.call_of(event.id)
                whose = "  (for the caller to run)" if call["origin"] == "client" else ""
                self._line(f"→ {call['name']} {call['arguments']}{whose}", "cyan")
            case PartEnded(kind="tool_result"):
                result = self._said.call_of(event.id)["result"] or ""
                self._line(f"← {_shortened(result)}", "red" if event.failed else "cyan dim")
            case InputRequired(prompt):
                self._line(f"? {prompt}", "yellow")
            case PartStarted() | PartEnded():
                pass
            case _:
                pass

    def end(self, run_id: str | None) -> None:
        """Print what is known at the end."""
        self._turn_to("")
        first, total = self._said.timings().values()
        facts = [
            f"{first:.0f} ms to the first piece" if first is not None else "no answer",
            f"{total:.0f} ms in all",
        ]
        usage = self._said.usage
        if usage is not None:
            facts.append(f"{usage.input_tokens} + {usage.output_tokens} tokens")
        cost = self._said.cost
        if cost is not None and cost.usd != 0:
            facts.append("price unknown" if cost.usd is None else f"{cost.usd:.6f} USD")
        if run_id is not None:
            facts.append(run_id)
        self._line(" · ".join(facts), "dim")

    def stop(self) -> None:
        """Leave the terminal on a fresh line."""
        self._turn_to("")

    def _line(self, line: str, style: str) -> None:
        self._turn_to("")
        self._aside.print(Text(_printable(line), style))

    def _turn_to(self, kind: str) -> None:
        if self._open == kind:
            return
        if self._open == "text":
            print(flush=True)
        elif self._open:
            self._aside.print()
        self._open = kind


def _printable(text: str) -> str:
    """Without the control characters by which an answer could drive the terminal."""
    return _CONTROL.sub("", text)


def _shortened(text: str) -> str:
    if len(text) <= _LONGEST_RESULT:
        return text
    return f"{text[:_LONGEST_RESULT]}… ({len(text) - _LONGEST_RESULT} more characters)"
