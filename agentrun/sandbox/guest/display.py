"""What a value looks like, in as many MIME types as it knows."""

from __future__ import annotations

import sys

from .hints import Any, Callable, Json
from .slim import late

_METHODS = {
    "text/html": "_repr_html_",
    "text/markdown": "_repr_markdown_",
    "text/latex": "_repr_latex_",
    "image/svg+xml": "_repr_svg_",
    "image/png": "_repr_png_",
    "image/jpeg": "_repr_jpeg_",
    "application/json": "_repr_json_",
    "application/javascript": "_repr_javascript_",
}
_LONGEST_TEXT = 1 << 20

on_figure: Callable[[dict[str, Any]], None] = lambda _: None  # noqa: E731


def bundle(value: Any) -> dict[str, Any]:
    """The MIME types of a value. A method of it that fails is passed over."""
    if _is_figure(value):
        shown = _figure(value)
        value.__dict__["_agentrun_shown"] = True
    else:
        shown = {mime: found for mime, name in _METHODS.items() if (found := _ask(value, name)) is not None}
        many: Any = _ask(value, "_repr_mimebundle_")
        if isinstance(many, dict):
            shown |= many
    shown["text/plain"] = _text(value)
    return {clean(str(mime)): _carried(inner) for mime, inner in shown.items()}


def _ask(value: Any, name: str) -> Any:
    if isinstance(value, type):
        return None
    found: Any
    try:
        method = getattr(value, name, None)
        found = method() if callable(method) else None
    except Exception:
        return None
    return found[0] if isinstance(found, tuple) and found else found  # pyright: ignore[reportUnknownVariableType]


def _text(value: Any) -> str:
    try:
        text = repr(value)
    except Exception as error:
        text = f"<{type(value).__name__}, whose repr failed: {type(error).__name__}>"
    if len(text) > _LONGEST_TEXT:
        text = f"{text[:_LONGEST_TEXT]}... {len(text) - _LONGEST_TEXT} characters left out"
    return clean(text)


def _carried(value: Any) -> Any:
    """As JSON can carry it: bytes in base64."""
    if isinstance(value, bytes):
        return _in_base64(value)
    if isinstance(value, str):
        return clean(value)
    try:
        json = late("json")
        return _told(json.loads(json.dumps(value)))
    except (TypeError, ValueError, RecursionError):
        return _text(value)


def _told(value: Json) -> Json:
    """JSON without what is none elsewhere: halves of surrogate pairs, and numbers that are no numbers."""
    if isinstance(value, str):
        return clean(value)
    if isinstance(value, dict):
        return {clean(name): _told(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [_told(inner) for inner in value]
    return None if isinstance(value, float) and value - value != 0 else value


def _in_base64(data: bytes) -> str:
    return late("binascii").b2a_base64(data, newline=False).decode()


def clean(text: str) -> str:
    """Without halves of surrogate pairs, which are no text elsewhere."""
    return text.encode("utf-8", "backslashreplace").decode()


# --- matplotlib: figures are shown when the cell ends, or when the code says so


def flush_figures() -> None:
    """Show the open figures and close them."""
    pyplot = sys.modules.get("matplotlib.pyplot")
    if pyplot is None:
        return
    for number in pyplot.get_fignums():
        figure = pyplot.figure(number)
        if figure.axes and not figure.__dict__.get("_agentrun_shown"):
            on_figure({**_figure(figure), "text/plain": _text(figure)})
        pyplot.close(figure)


def _is_figure(value: Any) -> bool:
    figures = sys.modules.get("matplotlib.figure")
    return figures is not None and isinstance(value, figures.Figure)


def _figure(figure: Any) -> dict[str, Any]:
    from io import BytesIO

    png, svg = BytesIO(), BytesIO()
    figure.savefig(png, format="png", bbox_inches="tight")
    figure.savefig(svg, format="svg", bbox_inches="tight")
    return {"image/png": _in_base64(png.getvalue()), "image/svg+xml": svg.getvalue().decode()}
