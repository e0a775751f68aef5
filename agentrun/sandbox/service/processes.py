"""Routes: commands that run to their end, and the processes that run."""

from __future__ import annotations

import time

from fastapi import APIRouter, Response
from pydantic import BaseModel, Field

from agentrun.errors import NotFound
from agentrun.sandbox.sandbox import Sandbox
from agentrun.sandbox.service.boxes import Boxes
from agentrun.sandbox.service.callers import Owner
from agentrun.sandbox.service.sandboxes import iso
from agentrun.sandbox.values import WORKING_FOLDER, Finished, ProcessInfo
from agentrun.utils import ids


class Command(BaseModel):
    """A line for bash."""

    command: str
    cwd: str = WORKING_FOLDER
    timeout: float | None = Field(
        default=None, gt=0, description="In seconds; the template's `timeout_s` if left out."
    )
    environmentVariables: dict[str, str] = {}


class Ended(BaseModel):
    """How a command ended and what it has said."""

    exitCode: int = Field(description="A negative one is the signal that ended it.")
    stdout: str
    stderr: str
    cwd: str
    executionTimeMs: float
    truncated: bool
    timedOut: bool


class Done(BaseModel):
    """The same, in the original's envelope and by the names that its tools read."""

    executionId: str
    status: str = Field(description="completed or timeout.")
    result: Ended
    executionTimeMs: float
    stdout: str
    stderr: str
    exit_code: int


class Usage(BaseModel):
    """What a process uses."""

    cpuSeconds: float
    memoryMb: float


class ProcessView(BaseModel):
    """A process that runs in a sandbox."""

    processId: str
    pid: int
    status: str = "running"
    command: str
    tag: str | None = Field(description="`started` for what was started by name, not by another process.")
    createdAt: str = Field(description="When it began.")
    resourceUsage: Usage


class ProcessList(BaseModel):
    """The processes of a sandbox."""

    items: list[ProcessView]
    total: int


class Signal(BaseModel):
    """A signal by its number."""

    number: int = Field(ge=1, le=64)


class Stopped(BaseModel):
    """A process that was ended."""

    pid: int
    stopped: bool
    stopped_at: str
    message: str


def routes(boxes: Boxes) -> APIRouter:
    """Run, list, look at, end, signal."""
    router = APIRouter(prefix="/sandboxes/{id}/processes", tags=["processes"])

    @router.post("/cmd")
    async def run(id: str, wish: Command, owner: Owner) -> Done:
        """Run a command to its end. Its exit code is part of the answer."""
        done = await boxes.get(id, owner).processes.run(
            wish.command, cwd=wish.cwd, env=wish.environmentVariables, timeout_s=wish.timeout
        )
        return _done(done, wish.cwd)

    @router.get("")
    async def list_processes(id: str, owner: Owner) -> ProcessList:
        """The processes that run."""
        found = await boxes.get(id, owner).processes.list()
        return ProcessList(items=[_view(process) for process in found], total=len(found))

    @router.get("/{pid}")
    async def get(id: str, pid: int, owner: Owner) -> ProcessView:
        """Look at a process."""
        return _view(await _process(boxes.get(id, owner), pid))

    @router.delete("/{pid}")
    async def end(id: str, pid: int, owner: Owner) -> Stopped:
        """End a process; it has ended when this is answered."""
        await boxes.get(id, owner).processes.end(pid)
        return Stopped(pid=pid, stopped=True, stopped_at=iso(time.time()), message=f"{pid} was killed.")

    @router.post("/{pid}/signal", status_code=204)
    async def send_signal(id: str, pid: int, wish: Signal, owner: Owner) -> Response:
        """Send a signal to a process."""
        await boxes.get(id, owner).processes.signal(pid, wish.number)
        return Response(status_code=204)

    return router


async def _process(box: Sandbox, pid: int) -> ProcessInfo:
    for process in await box.processes.list():
        if process.pid == pid:
            return process
    raise NotFound(f"The process {pid} does not exist.")


def _done(done: Finished, cwd: str) -> Done:
    took_ms = round(done.duration_s * 1000, 3)
    ended = Ended(
        exitCode=done.exit_code,
        stdout=done.stdout,
        stderr=done.stderr,
        cwd=cwd,
        executionTimeMs=took_ms,
        truncated=done.truncated,
        timedOut=done.timed_out,
    )
    return Done(
        executionId=ids.new("exec_"),
        status="timeout" if done.timed_out else "completed",
        result=ended,
        executionTimeMs=took_ms,
        stdout=done.stdout,
        stderr=done.stderr,
        exit_code=done.exit_code,
    )


def _view(process: ProcessInfo) -> ProcessView:
    return ProcessView(
        processId=str(process.pid),
        pid=process.pid,
        command=process.command,
        tag="started" if process.started_here else None,
        createdAt=iso(process.began_s),
        resourceUsage=Usage(cpuSeconds=process.cpu_s, memoryMb=process.memory_bytes / (1 << 20)),
    )
