"""How long a test waits for what has to come: long, since to be slow on a busy machine is no failure."""

from __future__ import annotations

import time
from collections.abc import Callable

PATIENCE_S = 120


def until(so: Callable[[], object]) -> None:
    """Return when it is so; for what tells nobody that it happens, as in other processes."""
    end = time.monotonic() + PATIENCE_S
    while not so():
        assert time.monotonic() < end, "it did not come to be so"
        time.sleep(0.01)
