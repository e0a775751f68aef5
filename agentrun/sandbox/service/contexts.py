"""Routes: contexts, and the code that is run in them."""

from __future__ import annotations

from typing import Any, Literal

import msgspec
from fastapi import APIRouter, Response
from pydantic import BaseModel, Field

from agentrun.sandbox.contexts import Context
from agentrun.sandbox.sandbox import Sandbox
from agentrun.sandbox.service import lines, running
from agentrun.sandbox.service.boxes import Boxes
from agentrun.sandbox.service.callers import Owner
from agentrun.sandbox.values import ContextInfo, Execution, Language, Output, Stderr, Stdout


class NewContext(BaseModel):
    """Which context is wanted."""

    language: Language = "python"
    cwd: str | None = Field(default=None, description="The working folder if left out.")
    environmentVariables: dict[str, str] = {}


class ContextView(BaseModel):
    """A place where variables live on between runs."""

    id: str
    language: str
    cwd: str


class Execute(BaseModel):
    """Code to run: in a context, or in the one that its language has without being asked."""

    code: str
    contextId: str | None = None
    language: Language = "python"
    timeout: float | None = Field(
        default=None, gt=0, description="In seconds; the template's `timeout_s` if left out."
    )
    environmentVariables: dict[str, str] = {}


class Said(BaseModel):
    """One thing that came of it."""

    type: Literal["stdout", "stderr", "result", "error", "endOfExecution"]
    text: str | None = None
    value: str | None = None
    name: str | None = Field(default=None, description="The class of an error.")
    data: dict[str, Any] | None = Field(default=None, description="A result by MIME type.")
    main: bool | None = Field(default=None, description="Whether a result is the value of the last line.")
    status: Literal["ok", "error"] | None = None


class Executed(BaseModel):
    """What came of code: as a list in its order of kinds, and by name, as the original's tools read it."""

    results: list[Said]
    contextId: str
    stdout: str
    stderr: str
    exit_code: int = Field(description="1 if the code failed.")
    result: str | None = Field(description="The value of the last line.")
    truncated: bool = Field(description="Some output was left out.")
    stateLost: bool = Field(description="The context had to be ended; the next run finds an empty one.")


class Line(BaseModel):
    """One line of /run: something said, or at the end the whole."""

    type: Literal["stdout", "stderr", "result", "end"]
    text: str | None = None
    data: dict[str, Any] | None = None
    main: bool | None = None
    contextId: str | None = None
    execution: dict[str, Any] | None = Field(
        default=None, description="stdout, stderr, results, error, count, truncated, state_lost, duration_s."
    )


def routes(boxes: Boxes) -> APIRouter:
    """Make, list and end contexts; run code whole or streamed; interrupt, restart, fork."""
    router = APIRouter(prefix="/sandboxes/{id}", tags=["contexts"])

    @router.get("/contexts")
    async def list_contexts(id: str, owner: Owner) -> list[ContextView]:
        """The contexts of a sandbox."""
        return [_view(info) for info in boxes.get(id, owner).contexts.list()]

    @router.post("/contexts")
    async def create_context(id: str, wish: NewContext, owner: Owner) -> ContextView:
        """Make a context."""
        contexts = boxes.get(id, owner).contexts
        made = await contexts.create(wish.language, cwd=wish.cwd, env=wish.environmentVariables)
        return _view(made.info)

    @router.post("/contexts/execute")
    async def execute(id: str, wish: Execute, owner: Owner) -> Executed:
        """Run code, and wait for all that comes of it. An error of the code is part of the answer."""
        context = await _context(boxes.get(id, owner), wish)
        ran = await context.run(wish.code, timeout_s=wish.timeout, env=wish.environmentVariables)
        return _executed(ran, context)

    @router.get("/contexts/{context}")
    async def get_context(id: str, context: str, owner: Owner) -> ContextView:
        """Look at a context."""
        return _view(boxes.get(id, owner).contexts.get(context).info)

    @router.delete("/contexts/{context}", status_code=204)
    async def delete_context(id: str, context: str, owner: Owner) -> Response:
        """End a context; its variables are lost."""
        await boxes.get(id, owner).contexts.get(context).close()
        return Response(status_code=204)

    @router.post("/contexts/{context}/interrupt", status_code=204)
    async def interrupt(id: str, context: str, owner: Owner) -> Response:
        """Stop what it runs, as Ctrl-C does."""
        await boxes.get(id, owner).contexts.get(context).interrupt()
        return Response(status_code=204)

    @router.post("/contexts/{context}/restart", status_code=204)
    async def restart(id: str, context: str, owner: Owner) -> Response:
        """Forget its variables."""
        await boxes.get(id, owner).contexts.get(context).restart()
        return Response(status_code=204)

    @router.post("/contexts/{context}/fork")
    async def fork(id: str, context: str, owner: Owner) -> ContextView:
        """Copy it, with its variables."""
        return _view((await boxes.get(id, owner).contexts.get(context).fork()).info)

    @router.post("/run", responses=lines.described(Line), response_class=lines.Lines)
    async def run(id: str, wish: Execute, owner: Owner) -> running.Answer:
        """Run code; each thing it says is a line of JSON as soon as it is said. Who hangs up stops it."""
        context = await _context(boxes.get(id, owner), wish)
        told = running.told(context, wish.code, timeout_s=wish.timeout, env=wish.environmentVariables)
        return running.Answer(told, lambda one: [_line(one, context)], lines.failed)

    return router


async def _context(box: Sandbox, wish: Execute) -> Context:
    if wish.contextId is not None:
        return box.contexts.get(wish.contextId)
    return await box.contexts.usual(wish.language)


def _line(said: Output | Execution, context: Context) -> dict[str, Any]:
    match said:
        case Execution():
            return {"type": "end", "contextId": context.id, "execution": msgspec.to_builtins(said)}
        case Stdout(text):
            return {"type": "stdout", "text": text}
        case Stderr(text):
            return {"type": "stderr", "text": text}
        case _:
            return {"type": "result", "data": dict(said.data), "main": said.main}


def _executed(ran: Execution, context: Context) -> Executed:
    said = [Said(type="stdout", text=ran.stdout)] if ran.stdout else []
    if ran.stderr:
        said.append(Said(type="stderr", text=ran.stderr))
    said += [
        Said(type="result", text=result.text, data=dict(result.data), main=result.main)
        for result in ran.results
    ]
    if ran.error is not None:
        error = ran.error
        said.append(Said(type="error", name=error.name, value=error.value, text=error.traceback))
    said.append(Said(type="endOfExecution", status="ok" if ran.error is None else "error"))
    return Executed(
        results=said,
        contextId=context.id,
        stdout=ran.stdout,
        stderr=ran.stderr,
        exit_code=0 if ran.error is None else 1,
        result=ran.text,
        truncated=ran.truncated,
        stateLost=ran.state_lost,
    )


def _view(info: ContextInfo) -> ContextView:
    return ContextView(id=info.id, language=info.language, cwd=info.cwd)
