"""Question: what an agent asks a human in the middle of its work, and what answers it."""

from __future__ import annotations

import asyncio
from concurrent.futures import CancelledError, Future
from typing import TYPE_CHECKING, Any, cast

import msgspec

from agentrun.errors import Declined, RequestError
from agentrun.events import InputRequired
from agentrun.messages import AgentRequest
from agentrun.run.answers import Answers, decide, parsed
from agentrun.utils import ids

if TYPE_CHECKING:
    from agentrun.run.execution import Execution
    from agentrun.run.run import Run

PREFIX = "ask_"  # of the ids of such questions; frameworks have ids of their own for theirs
_TYPES: dict[object, type] = {"string": str, "integer": int, "number": float, "array": list, "object": dict}


class Question:
    """Asked by `asker`, which waits; `asked_in` is the Run that ended with it."""

    __slots__ = ("_future", "_type", "asked_in", "asker", "event", "withdrawn")

    def __init__(self, asker: Execution, prompt: str, schema: Any) -> None:
        self.asker = asker
        self.asked_in: Run | None = None
        self.withdrawn = False  # somebody has cancelled it
        self.event = InputRequired(prompt, ids.new(PREFIX), schema=json_schema(schema))
        self._type: Any = schema if not isinstance(schema, dict) else None
        self._future: Future[Any] = Future()

    @property
    def id(self) -> str:
        return self.event.id

    async def answered(self) -> Any:
        """Wait for the answer, on any loop."""
        return self._taken(await asyncio.wrap_future(self._future))

    def wait_answered(self) -> Any:
        """Wait for the answer, in a thread."""
        try:
            return self._taken(self._future.result())
        except CancelledError:
            raise asyncio.CancelledError from None

    def answer(self, value: object) -> None:
        """Let the asker go on."""
        if not self._future.done():
            self._future.set_result(value)

    def cancel(self) -> None:
        """Nobody will answer."""
        self._future.cancel()

    def read(self, request: AgentRequest) -> object:
        """The answer in a request, as it was asked for; None if the human declined. RequestError if it does not fit."""
        said = Answers(request).said(self.id)
        if said is None or self._type is None and self.event.schema is None:
            return said
        try:
            return self._fit(said)
        except msgspec.ValidationError as error:
            raise RequestError(
                f"That is no answer to {self.event.prompt!r}: {error}.",
                hint="The question is still open.",
                code="invalid_answer",
            ) from None

    def _fit(self, said: object) -> object:
        schema: dict[str, Any] = self.event.schema or {}
        kind: Any = self._type if self._type is not None else _TYPES.get(schema.get("type"))
        if schema.get("type") == "boolean":
            return decide(parsed(said) if isinstance(said, str) else said).approved
        if kind is str or isinstance(said, str) and schema.get("enum") and said in schema["enum"]:
            value: Any = said
        else:
            value = parsed(said) if isinstance(said, str) else said
        validate = getattr(kind, "model_validate", None)
        if validate is not None:
            return _validated(validate, value)
        if kind is not None:
            value = msgspec.convert(value, kind, strict=False)
        if self._type is None and "enum" in schema and value not in schema["enum"]:
            raise msgspec.ValidationError(f"it has to be one of {', '.join(map(str, schema['enum']))}")
        return value

    def _taken(self, value: object) -> object:
        if value is None:
            if self.event.schema is not None and self.event.schema.get("type") == "boolean":
                return False
            raise Declined(f"Nobody wanted to say: {self.event.prompt}")
        return value


def json_schema(schema: Any) -> dict[str, Any] | None:
    """The JSON Schema of what may be answered."""
    if schema is None or isinstance(schema, dict):
        return cast("dict[str, Any] | None", schema)
    if hasattr(schema, "model_json_schema"):
        return schema.model_json_schema()
    found = msgspec.json.schema(schema)
    defined: dict[str, Any] = found.get("$defs") or {}
    if len(defined) == 1 and "$ref" in found:
        return next(iter(defined.values()))
    return found


def _validated(validate: Any, value: object) -> object:
    try:
        return validate(value)
    except ValueError as error:
        raise msgspec.ValidationError(str(error).splitlines()[0]) from None
