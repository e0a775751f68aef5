# pyright: strict
"""What a human says of a task's result, where the task asks for it: through the Run, not on the server's terminal."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from crewai.core.providers.human_input import SyncHumanInputProvider

from agentrun.errors import Declined
from agentrun.messages import AgentRequest
from agentrun.run.answers import decide

_PROMPT = 'Is this right? Answer "yes", or say what should be different.'
_RIGHT = ""  # what CrewAI goes on at


class Feedback(SyncHumanInputProvider):
    """For tasks with `human_input=True`. The crew waits in this process; it cannot be kept."""

    def __init__(self, request: AgentRequest, answered: Callable[[], object]) -> None:
        self._request = request
        self._answered = answered

    def _prompt_input(self, crew: Any) -> str:  # pyright: ignore[reportIncompatibleMethodOverride] - theirs is static
        try:
            return self._feedback(self._request.ask_now(_PROMPT))
        except Declined:
            return _RIGHT

    async def _prompt_input_async(self, crew: Any) -> str:  # pyright: ignore[reportIncompatibleMethodOverride]
        try:
            return self._feedback(await self._request.ask(_PROMPT))
        except Declined:
            return _RIGHT

    def _feedback(self, said: Any) -> str:
        self._answered()
        return _RIGHT if decide(said).approved else str(said)
