"""matplotlib's backend in a sandbox: `show()` shows the figures where the code's results go."""

from __future__ import annotations

from typing import Any

from matplotlib.backends.backend_agg import (  # pyright: ignore[reportMissingImports]
    FigureCanvasAgg,  # pyright: ignore[reportUnknownVariableType]
)

from . import display

FigureCanvas: Any = FigureCanvasAgg  # pyright: ignore[reportUnknownVariableType]


def show(*_: Any, **__: Any) -> None:
    """Called by pyplot.show."""
    display.flush_figures()
