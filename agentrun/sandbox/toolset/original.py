"""The same tools, and more, under the names and arguments that the original SDK gives them."""

from __future__ import annotations

import base64
import binascii
import signal
from collections.abc import Callable
from typing import Annotated, Any, Literal

import msgspec
from pydantic import Field

from agentrun.errors import ToolFailed
from agentrun.sandbox.sandbox import Sandbox
from agentrun.sandbox.toolset.tools import Code, Path, Timeout, Tools
from agentrun.sandbox.values import HOME, Language, ProcessInfo

ContextId = Annotated[str, Field(description="The id of a context.")]
Pid = Annotated[int, Field(ge=1, description="The id of a process.")]


class OriginalTools(Tools):
    """The methods in `functions` are tools; a docstring is what the model reads."""

    @property
    def functions(self) -> list[Callable[..., Any]]:
        return [
            self.health,
            self.run_code_in,
            self.execute_code,
            self.list_contexts,
            self.create_context,
            self.get_context,
            self.delete_context,
            self.read_file,
            self.write_file_as,
            self.file_system_list,
            self.list_directory,
            self.file_system_stat,
            self.file_system_mkdir,
            self.file_system_move,
            self.file_system_remove,
            self.process_exec_cmd,
            self.process_list,
            self.process_stat,
            self.process_kill,
        ]

    async def health(self) -> str:
        """Whether the sandbox is there."""

        async def work(_: Sandbox) -> str:
            return "ok"

        return await self._do(work)

    async def run_code_in(
        self,
        code: Code,
        language: Language = "python",
        timeout: Timeout = None,
        context_id: str | None = None,
    ) -> str:
        """Run code in the sandbox, where earlier runs left their variables; in another context if its id is given."""
        return await self._run_code(code, language, timeout, context_id)

    async def execute_code(self, code: Code, language: Language = "python", timeout: Timeout = None) -> str:
        """Run code in the sandbox, where earlier runs left their variables."""
        return await self._run_code(code, language, timeout, None)

    async def list_contexts(self) -> str:
        """List the contexts: places where variables live on."""

        async def work(box: Sandbox) -> str:
            return _json(box.contexts.list())

        return await self._do(work)

    async def create_context(self, language: Language = "python", cwd: str = HOME) -> str:
        """Make a context: a place where variables live on. Gives its id."""

        async def work(box: Sandbox) -> str:
            return _json((await box.contexts.create(language, cwd=cwd)).info)

        return await self._do(work)

    async def get_context(self, context_id: ContextId) -> str:
        """Get the language and the folder of a context."""

        async def work(box: Sandbox) -> str:
            return _json(box.contexts.get(context_id).info)

        return await self._do(work)

    async def delete_context(self, context_id: ContextId) -> str:
        """End a context; its variables are lost."""

        async def work(box: Sandbox) -> str:
            await box.contexts.get(context_id).close()
            return "done"

        return await self._do(work)

    async def write_file_as(
        self,
        path: Path,
        content: str,
        mode: Annotated[str, Field(pattern="^[0-7]{3,4}$", description="Its permissions.")] = "644",
        encoding: Literal["utf-8", "base64"] = "utf-8",
    ) -> str:
        """Write a file in the sandbox, with the folders it is in."""
        return await self._write(path, _decoded(content, encoding), int(mode, 8))

    async def file_system_list(self, path: Path = ".", depth: Annotated[int, Field(ge=1, le=10)] = 1) -> str:
        """List the files in a folder of the sandbox, with their sizes in bytes."""
        return await self.list_files(path, depth)

    async def list_directory(self, path: Path = ".") -> str:
        """List the files in a folder of the sandbox, with their sizes in bytes."""
        return await self.list_files(path)

    async def file_system_stat(self, path: Path) -> str:
        """Get the type, size, permissions and time of a file of the sandbox."""

        async def work(box: Sandbox) -> str:
            return _json(await box.files.stat(path))

        return await self._do(work)

    async def file_system_mkdir(self, path: Path) -> str:
        """Make a folder in the sandbox, and those it is in."""

        async def work(box: Sandbox) -> str:
            return _json(await box.files.make_dir(path))

        return await self._do(work)

    async def file_system_move(self, source: Path, destination: Path) -> str:
        """Move or rename a file or folder of the sandbox."""

        async def work(box: Sandbox) -> str:
            return _json(await box.files.move(source, destination))

        return await self._do(work)

    async def file_system_remove(self, path: Path) -> str:
        """Remove a file of the sandbox, or a folder with all that is in it."""

        async def work(box: Sandbox) -> str:
            await box.files.remove(path)
            return "done"

        return await self._do(work)

    async def process_exec_cmd(self, command: str, cwd: str = ".", timeout: Timeout = None) -> str:
        """Run a shell command in the sandbox, and get what it prints and its exit code if that is not 0."""
        return await self.run_command(command, cwd, timeout)

    async def process_list(self) -> str:
        """List the processes that run in the sandbox."""

        async def work(box: Sandbox) -> str:
            return _json(await box.processes.list())

        return await self._do(work)

    async def process_stat(self, pid: Pid) -> str:
        """Get the command, processor time and memory of a process in the sandbox."""

        async def work(box: Sandbox) -> str:
            return _json(_found(pid, await box.processes.list()))

        return await self._do(work)

    async def process_kill(self, pid: Pid) -> str:
        """End a process in the sandbox."""

        async def work(box: Sandbox) -> str:
            await box.processes.signal(pid, signal.SIGKILL)
            return "done"

        return await self._do(work)


def _found(pid: int, processes: list[ProcessInfo]) -> ProcessInfo:
    for process in processes:
        if process.pid == pid:
            return process
    raise ToolFailed(f"There is no process {pid}.")


def _decoded(content: str, encoding: str) -> bytes:
    try:
        return base64.b64decode(content, validate=True) if encoding == "base64" else content.encode()
    except binascii.Error as error:
        raise ToolFailed(f"content is no base64: {error}.") from None


def _json(value: Any) -> str:
    return msgspec.json.encode(value).decode()
