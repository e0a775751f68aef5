"""The one line that the log has for each Run."""

from __future__ import annotations

import logging

from agentrun.run import Run
from agentrun.utils import log

logger = logging.getLogger("agentrun.run")


def log_run(run: Run) -> None:
    """Written when a Run has ended."""
    if not logger.isEnabledFor(logging.INFO):
        return
    took_ms = ((run.finished or run.created) - run.created) * 1000
    first_ms = None if run.first_output is None else (run.first_output - run.created) * 1000
    usage = run.usage

    def in_words() -> str:
        first = "-" if first_ms is None else f"{first_ms:.0f} ms"
        counted = "not counted" if usage is None else f"{usage.input_tokens} in, {usage.output_tokens} out"
        return (
            f"run {run.id} (request {run.request_id}) {run.status} in {took_ms:.0f} ms, "
            f"first event after {first}, usage {counted}"
        )

    status = run.status
    fields = {
        "run_id": run.id,
        "request_id": run.request_id,
        "status": status,
        "duration_ms": round(took_ms, 1),
        "first_event_ms": None if first_ms is None else round(first_ms, 1),
        "input_tokens": usage.input_tokens if usage else None,
        "output_tokens": usage.output_tokens if usage else None,
    }
    log.info(logger, "run " + status, fields, in_words)
