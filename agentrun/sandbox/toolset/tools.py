"""The tools: run code and commands, read, write and list files. What goes wrong is told to the model."""

from __future__ import annotations

import base64
import binascii
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Annotated, Any

import msgspec
from pydantic import Field

from agentrun.errors import AgentRunError, SandboxCrashed, SandboxError, TooLarge, ToolFailed
from agentrun.sandbox.sandbox import Sandbox
from agentrun.sandbox.toolset.held import Held
from agentrun.sandbox.toolset.transcript import Transcript, clipped
from agentrun.sandbox.values import Execution, FileInfo, Finished, Language, Output, Result
from agentrun.utils import portal

_LARGEST_FILE = 8 << 20
_MOST_FILES = 500
_IMAGES = {
    "image/png": "png",
    "image/jpeg": "jpg",
    "image/gif": "gif",
    "image/webp": "webp",
    "image/svg+xml": "svg",
}
_TEXTS = ("text/plain", "text/markdown", "text/latex", "text/html")

Code = Annotated[str, Field(description="The code to run.")]
Timeout = Annotated[float | None, Field(gt=0, description="The seconds it may take.")]
Path = Annotated[str, Field(description="Absolute, or relative to the working folder /home/user.")]


class Call(msgspec.Struct, frozen=True):
    """On whose behalf a tool is called."""

    key: str  # whose sandbox
    tell: Callable[[str], object]  # takes output as it comes
    show: Callable[[str, str, bytes], str | None]  # takes a file by name and media type; gives its URL


class Tools:
    """The methods in `functions` are tools; a docstring is what the model reads."""

    def __init__(self, held: Held, call: Callable[[], Call], max_output: int) -> None:
        self._held = held
        self._call = call
        self._max_output = max_output

    async def run_code(self, code: Code, language: Language = "python", timeout: Timeout = None) -> str:
        """Run code in a sandbox, and get what it prints, the value of its last line, and its error if it fails.

        Variables, imports and files are still there at the next call. Files are in the working folder.
        """
        return await self._run_code(code, language, timeout, None)

    async def run_command(
        self,
        command: Annotated[str, Field(description="A line for bash.")],
        cwd: Annotated[str, Field(description="The folder to run it in.")] = ".",
        timeout: Timeout = None,
    ) -> str:
        """Run a shell command in the sandbox, and get what it prints and its exit code if that is not 0."""

        async def work(box: Sandbox, call: Call, said: Transcript) -> None:
            done = await box.processes.run(command, cwd=cwd, timeout_s=timeout, on_output=_reader(call, said))
            _conclude_command(done, said)

        return await self._work(work)

    async def read_file(self, path: Path) -> str:
        """Read a text file of the sandbox."""

        async def work(box: Sandbox) -> str:
            data = await box.files.read(path, limit=_LARGEST_FILE)
            try:
                return clipped(data.decode(), self._max_output)
            except UnicodeDecodeError:
                return f"[{path} is no text: {len(data):,} bytes]"

        return await self._do(work)

    async def write_file(
        self, path: Path, content: Annotated[str, Field(description="All that is to be in it.")]
    ) -> str:
        """Write a text file in the sandbox, with the folders it is in. What was there before is replaced."""
        return await self._write(path, content.encode(), 0o644)

    async def list_files(
        self,
        path: Path = ".",
        depth: Annotated[int, Field(ge=1, le=10, description="How many folders deep.")] = 1,
    ) -> str:
        """List the files in a folder of the sandbox, with their sizes in bytes."""

        async def work(box: Sandbox) -> str:
            found = await box.files.list(path, depth=depth, limit=_MOST_FILES)
            more = f"[there are more than {_MOST_FILES}]" if len(found) >= _MOST_FILES else ""
            return "\n".join([*map(_line, found), more]).strip() or "[the folder is empty]"

        return await self._do(work)

    @property
    def functions(self) -> list[Callable[..., Any]]:
        """What is offered to the model."""
        return [self.run_code, self.run_command, self.read_file, self.write_file, self.list_files]

    async def _run_code(
        self, code: str, language: Language, timeout_s: float | None, context_id: str | None
    ) -> str:
        async def work(box: Sandbox, call: Call, said: Transcript) -> None:
            context = None if context_id is None else box.contexts.get(context_id)
            ran = await box.run(
                code, language=language, context=context, timeout_s=timeout_s, on_output=_reader(call, said)
            )
            _conclude_code(ran, said)

        return await self._work(work)

    async def _write(self, path: str, content: bytes, mode: int) -> str:
        async def work(box: Sandbox) -> str:
            written = await box.files.write(path, content, mode=mode)
            return f"{written.path} has {written.size:,} bytes."

        return await self._do(work)

    async def _work(self, work: Callable[[Sandbox, Call, Transcript], Awaitable[None]]) -> str:
        """What `work` adds to a transcript; as a failure, if the sandbox itself has failed."""
        call = self._call()
        said = Transcript(call.tell, self._max_output)

        async def run() -> str:
            try:
                async with self._lent(call, said.add_line) as box:
                    await work(box, call, said)
            except ToolFailed as failure:
                said.add_line(str(failure))
                raise ToolFailed(said.text()) from failure
            return said.text() or "[no output]"

        return await portal.call(run())

    async def _do(self, work: Callable[[Sandbox], Awaitable[str]]) -> str:
        """What `work` gives."""
        call = self._call()
        notes: list[str] = []

        async def run() -> str:
            async with self._lent(call, notes.append) as box:
                return "\n".join([*notes, await work(box)])

        return await portal.call(run())

    @asynccontextmanager
    async def _lent(self, call: Call, note: Callable[[str], object]) -> AsyncGenerator[Sandbox, None]:
        """The caller's sandbox; the errors of it are for the model."""
        try:
            async with self._held.use(call.key) as lent:
                if lent.lost is not None:
                    note(
                        f"[This is a new sandbox: {lent.lost} in the one before. Its variables and files are lost.]"
                    )
                yield lent.box
        except SandboxCrashed as error:
            raise ToolFailed(
                f"{error.message} Its variables and files are lost; the next call gets a new sandbox."
            ) from error
        except TooLarge as error:
            raise ToolFailed(f"{error.message} Read a part of it with a command.") from error
        except SandboxError as error:
            raise ToolFailed(str(error)) from error
        except AgentRunError as error:
            raise ToolFailed(error.message) from error


def _reader(call: Call, said: Transcript) -> Callable[[Output], None]:
    def read(output: Output) -> None:
        if isinstance(output, Result):
            said.add_line(_shown(output, call))
        else:
            said.add(output.text)

    return read


def _shown(result: Result, call: Call) -> str:
    """A result as text; an image as where it can be seen."""
    for kind in _IMAGES:
        if kind in result.data:
            return picture(call, kind, _bytes_of(result.data[kind]))
    for kind in _TEXTS:
        if kind in result.data:
            return str(result.data[kind])
    return msgspec.json.encode(dict(result.data), enc_hook=str).decode()


def picture(call: Call, kind: str, data: bytes) -> str:
    """An image as text: where it can be seen."""
    url = call.show(f"image.{_IMAGES[kind]}", kind, data)
    return f"[image: {url}]" if url else f"[an image, {kind}]"


def _bytes_of(data: object) -> bytes:
    """Images are in base64, but for SVG; what a sandbox gives may be neither."""
    text = str(data)
    if text.lstrip().startswith("<"):
        return text.encode()
    try:
        return base64.b64decode(text)
    except (binascii.Error, ValueError):
        return b""


def _conclude_code(ran: Execution, said: Transcript) -> None:
    if ran.error is not None:
        said.add_line((ran.error.traceback or f"{ran.error.name}: {ran.error.value}").rstrip())
        if ran.error.name == "TimeoutError" and ran.error.value not in ran.error.traceback:
            said.add_line(f"{ran.error.name}: {ran.error.value}")
    if ran.truncated:
        said.add_line("[it gave more than is kept]")
    if ran.state_lost:
        said.add_line("[The variables are lost; files are still there.]")


def _conclude_command(done: Finished, said: Transcript) -> None:
    if done.truncated:
        said.add_line("[it gave more than is kept]")
    if done.timed_out:
        said.add_line(f"[stopped after {done.duration_s:.0f} s]")
    elif done.exit_code:
        said.add_line(f"[exit code {done.exit_code}]")


def _line(file: FileInfo) -> str:
    match file.type:
        case "dir":
            return f"{file.path}/"
        case "link":
            return f"{file.path} -> {file.target}"
        case _:
            return f"{file.path}  {file.size}"
