"""The one line that the log has for each Run."""

from __future__ import annotations

import logging

from agentrun.run import Run

logger = logging.getLogger("agentrun.run")


def log_run(run: Run) -> None:
    """Written when a Run has ended."""
    if not logger.isEnabledFor(logging.INFO):
        return
    took_ms = ((run.finished or run.created) - run.created) * 1000
    first_ms = None if run.first_output is None else (run.first_output - run.created) * 1000
    usage = run.usage
    record = logging.LogRecord(  # as logger.info would, without a look at who calls
        logger.name,
        logging.INFO,
        __file__,
        0,
        "run %s (request %s) %s in %.0f ms, first event after %s, usage %s",
        (
            run.id,
            run.request_id,
            run.status,
            took_ms,
            "-" if first_ms is None else f"{first_ms:.0f} ms",
            "not counted" if usage is None else f"{usage.input_tokens} in, {usage.output_tokens} out",
        ),
        None,
    )
    record.fields = {
        "run_id": run.id,
        "request_id": run.request_id,
        "status": run.status,
        "duration_ms": round(took_ms, 1),
        "first_event_ms": None if first_ms is None else round(first_ms, 1),
        "input_tokens": usage.input_tokens if usage else None,
        "output_tokens": usage.output_tokens if usage else None,
    }
    logger.handle(record)
