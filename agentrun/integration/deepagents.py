"""Deep Agents: a sandbox as the backend of an agent's files and commands.

from agentrun.integration.deepagents import sandbox_backend

agent = create_deep_agent(model("my-model"), backend=sandbox_backend("code"))
"""

# pyright: reportMissingImports=false, reportUntypedBaseClass=false, reportUnknownVariableType=false
# pyright: reportUnknownParameterType=false, reportUnknownMemberType=false
# It is installed by who uses it: it brings the clients of other providers along.

from __future__ import annotations

from typing import Any

from agentrun.errors import AgentRunError, ConfigError, NotFound
from agentrun.sandbox import SyncSandbox, Template
from agentrun.sandbox.values import Stderr, Stdout

try:
    from deepagents.backends.protocol import ExecuteResponse, FileDownloadResponse, FileUploadResponse
    from deepagents.backends.sandbox import BaseSandbox
except ImportError as error:
    raise ConfigError("Deep Agents is not installed.", hint="Run: pip install deepagents") from error

_LARGEST_FILE = 64 << 20


def sandbox_backend(template: str | Template = "code", **changes: Any) -> SandboxBackend:
    """A sandbox made from this template; `changes` are keys of it. `close` ends it."""
    return SandboxBackend(SyncSandbox.create(template, **changes))


class SandboxBackend(BaseSandbox):
    """The files and commands of one sandbox."""

    def __init__(self, box: SyncSandbox) -> None:
        self.box = box

    @property
    def id(self) -> str:
        return self.box.id

    def execute(self, command: str, *, timeout: int | None = None) -> ExecuteResponse:
        """Run a line for bash; what it prints comes in the order in which it was read."""
        said: list[str] = []

        def read(output: Stdout | Stderr) -> None:
            said.append(output.text)

        done = self.box.processes.run(command, timeout_s=timeout, on_output=read)
        note = f"\n[stopped after {done.duration_s:.0f} s]" if done.timed_out else ""
        return ExecuteResponse("".join(said) + note, done.exit_code, done.truncated)

    def upload_files(self, files: list[tuple[str, bytes]]) -> list[FileUploadResponse]:
        """Write files; each has its own error."""
        return [FileUploadResponse(path, error=self._upload(path, content)) for path, content in files]

    def download_files(self, paths: list[str]) -> list[FileDownloadResponse]:
        """Read files; each has its own error."""
        return [self._download(path) for path in paths]

    def close(self) -> None:
        """End the sandbox."""
        self.box.close()

    def _upload(self, path: str, content: bytes) -> str | None:
        if not path.startswith("/"):
            return "invalid_path"
        try:
            self.box.files.write(path, content)
        except AgentRunError as error:
            return _kind(error)
        return None

    def _download(self, path: str) -> FileDownloadResponse:
        if not path.startswith("/"):
            return FileDownloadResponse(path, None, "invalid_path")
        try:
            if self.box.files.stat(path).type == "dir":
                return FileDownloadResponse(path, None, "is_directory")
            return FileDownloadResponse(path, self.box.files.read(path, limit=_LARGEST_FILE), None)
        except AgentRunError as error:
            return FileDownloadResponse(path, None, _kind(error))


def _kind(error: AgentRunError) -> str:
    """An error in the words of the framework, where it has some."""
    if isinstance(error, NotFound):
        return "file_not_found"
    return "permission_denied" if error.code == "PermissionError" else error.message


__all__ = ["SandboxBackend", "sandbox_backend"]
