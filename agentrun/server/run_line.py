"""The one line that the log has for each Run."""

from __future__ import annotations

import logging

from msgspec import UNSET, UnsetType

from agentrun.ledger import Cost
from agentrun.run import Run
from agentrun.utils import log

logger = logging.getLogger("agentrun.run")


class _RunLine(log.Line, kw_only=True):
    run_id: str
    request_id: str
    status: str
    duration_ms: float
    first_event_ms: float | None
    input_tokens: int | None
    output_tokens: int | None
    usd: float | None | UnsetType = UNSET  # where its models are known
    models: list[str] | UnsetType = UNSET


def log_run(run: Run) -> None:
    """Written when a Run has ended."""
    if not logger.isEnabledFor(logging.INFO):
        return
    took_ms = ((run.finished or run.created) - run.created) * 1000
    first_ms = None if run.first_output is None else (run.first_output - run.created) * 1000
    usage = run.usage
    cost = None if run.ledger is None else run.ledger.cost

    def in_words() -> str:
        first = "-" if first_ms is None else f"{first_ms:.0f} ms"
        counted = "not counted" if usage is None else f"{usage.input_tokens} in, {usage.output_tokens} out"
        return (
            f"run {run.id} (request {run.request_id}) {run.status} in {took_ms:.0f} ms, "
            f"first event after {first}, usage {counted}{'' if cost is None else _price(cost)}"
        )

    status = run.status
    line = _RunLine(
        logger=logger.name,
        message="run " + status,
        run_id=run.id,
        request_id=run.request_id,
        status=status,
        duration_ms=round(took_ms, 1),
        first_event_ms=None if first_ms is None else round(first_ms, 1),
        input_tokens=usage.input_tokens if usage else None,
        output_tokens=usage.output_tokens if usage else None,
        usd=UNSET if cost is None else cost.usd,
        models=UNSET if cost is None else [model.model for model in cost.models],
    )
    log.info(logger, line, in_words)


def _price(cost: Cost) -> str:
    return ", price unknown" if cost.usd is None else f", {cost.usd:.6f} USD"
