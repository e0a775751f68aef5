"""What a Runnable streams: messages and text as they come, and data, which is the answer once it is whole."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, cast

import msgspec
from langchain_core.messages import BaseMessage
from langchain_core.output_parsers import BaseCumulativeTransformOutputParser
from langchain_core.runnables import Runnable, RunnableSequence
from langchain_core.runnables.utils import AddableDict
from pydantic import BaseModel

from agentrun.intake import shape_of
from agentrun.integration.langchain_messages import Messages


class Values:
    """Reads the values of one stream; `left` is the JSON of the data in it."""

    def __init__(self, runnable: Runnable[Any, Any]) -> None:
        last = runnable.last if isinstance(runnable, RunnableSequence) else runnable
        # such a parser gives all that it has so far, again and again
        self._parses = isinstance(last, BaseCumulativeTransformOutputParser)
        self._messages = Messages()
        self._data: Any = None

    def read(self, value: Any) -> Iterable[object]:
        """What can be said at once."""
        if isinstance(value, BaseMessage):
            return self._messages.read(value)
        if isinstance(value, dict) and isinstance(output := cast("dict[str, Any]", value).get("output"), str):
            return (output,)
        if isinstance(value, AddableDict) and isinstance(self._data, AddableDict):
            self._data = self._data + value
        elif self._parses or _is_data(cast("object", value)):
            self._data = value
        else:
            return (cast("object", value),)
        return ()

    @property
    def left(self) -> str | None:
        """With `include_raw` the answer is what was parsed, or what the model said where that could not be."""
        data = self._data
        if isinstance(data, AddableDict) and "raw" in data:
            fields = cast("Mapping[str, Any]", data)
            data = fields["raw"] if fields.get("parsed") is None else fields["parsed"]
        return None if data is None else as_text(data)


def _is_data(value: object) -> bool:
    return isinstance(value, BaseModel) or isinstance(value, dict) and shape_of(cast("Any", value)) is None


def as_text(value: object) -> str:
    """An answer as text: words as they are, anything else as JSON."""
    if isinstance(value, BaseMessage):
        return str(value.text)
    return value if isinstance(value, str) else msgspec.json.encode(value, enc_hook=_plain).decode()


def _plain(value: object) -> object:
    if isinstance(value, BaseMessage):
        return str(value.text)
    return value.model_dump(mode="json") if isinstance(value, BaseModel) else str(value)
