"""Sandbox: an isolated place to run code in, with files and processes."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterable, Generator, Mapping, Sequence
from contextlib import aclosing, suppress
from types import TracebackType
from typing import Any

from agentrun.errors import AgentRunError
from agentrun.sandbox import creation, custom
from agentrun.sandbox.backend import Box, Mount
from agentrun.sandbox.browser import Browser
from agentrun.sandbox.contexts import Context, Contexts
from agentrun.sandbox.files import Files
from agentrun.sandbox.life import Life
from agentrun.sandbox.ports import Port
from agentrun.sandbox.processes import Processes
from agentrun.sandbox.template import Template, TemplateType
from agentrun.sandbox.values import Execution, Finished, Isolation, Language, Metrics, OnOutput


class Sandbox:
    """One sandbox. Made by `create`, ended by `close` or by leaving `async with`."""

    def __init__(self, life: Life, box: Box) -> None:
        self._life = life
        self._box = box
        self._paused = False
        self.files = Files(life)
        self.processes = Processes(life)
        self.contexts = Contexts(life)
        self.browser = Browser(life)

    @classmethod
    def create(
        cls,
        template: str | Template = "python",
        *,
        env: Mapping[str, str] | None = None,
        mounts: Sequence[Mount] = (),
        snapshot: AsyncIterable[bytes] | None = None,
        **changes: Any,
    ) -> Opening:
        """A sandbox from a template, by name or given whole. `changes` are keys of the template.

        Await it, or use it as `async with Sandbox.create() as box`.
        """
        return Opening(creation.Wish(template, env or {}, mounts, changes), snapshot)

    @property
    def id(self) -> str:
        return self._life.id

    @property
    def template(self) -> Template:
        return self._life.template

    @property
    def isolation(self) -> Isolation:
        """What holds it in, and how each limit is kept."""
        return self._box.isolation

    @property
    def ended(self) -> str | None:
        """Why it has ended; None while it is there."""
        return self._life.ended

    async def run(
        self,
        code: str,
        *,
        language: Language = "python",
        context: Context | None = None,
        timeout_s: float | None = None,
        env: Mapping[str, str] | None = None,
        on_output: OnOutput | None = None,
    ) -> Execution:
        """Run code where earlier runs in the same language left their variables."""
        place = context or await self.contexts.usual(language)
        return await place.run(code, timeout_s=timeout_s, env=env, on_output=on_output)

    async def install(self, *packages: str, timeout_s: float = 600) -> Finished:
        """Install Python packages with pip; the network policy has to allow the index (`network: {pip: true}`)."""
        command = ["python3", "-m", "pip", "install", "--user", "--disable-pip-version-check", *packages]
        return await self.processes.run(command, timeout_s=timeout_s)

    def port(self, number: int | None = None) -> Port:
        """A port on which something in it listens; left out, the one of its template."""
        return Port(self._life, number)

    async def metrics(self) -> Metrics:
        """What it uses now, and what it may."""
        with self._life.in_use() as box:
            return await box.metrics()

    @property
    def paused(self) -> bool:
        return self._paused

    async def pause(self) -> None:
        """Stop all that runs in it, where it stands; files stay reachable. If that fails it all goes on."""
        with self._life.in_use() as box:
            try:
                await box.pause()
            except BaseException:
                with suppress(AgentRunError):
                    await box.resume()
                raise
            self._paused = True

    async def resume(self) -> None:
        with self._life.in_use() as box:
            await box.resume()
            self._paused = False

    async def snapshot(self) -> AsyncGenerator[bytes, None]:
        """Its working folder as a tar, piece by piece; `create(snapshot=...)` begins with it. Variables are not in it."""
        with self._life.in_use() as box:
            async with aclosing(box.snapshot()) as chunks:
                async for chunk in chunks:
                    yield chunk

    async def restore(self, chunks: AsyncIterable[bytes]) -> None:
        """Unpack such a tar into its working folder, over what is there."""
        with self._life.in_use() as box:
            await box.restore(chunks)

    def keep(self, idle_timeout_s: float) -> None:
        """Let it be idle for this long from now on."""
        self._life.keep(idle_timeout_s)

    async def wait(self) -> str:
        """Until it has ended, for any reason: the reason."""
        await self._life.over.wait()
        return self._life.ended or ""

    async def close(self) -> None:
        """End everything in it. Nothing is left when this returns."""
        await self._life.close()
        await self.browser.close()

    async def __aenter__(self) -> Sandbox:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.close()


class Opening:
    """A sandbox that is not there yet: to be awaited or entered, once."""

    def __init__(self, wish: creation.Wish, snapshot: AsyncIterable[bytes] | None) -> None:
        self._wish = wish
        self._snapshot = snapshot
        self._sandbox: Sandbox | None = None

    def __await__(self) -> Generator[Any, None, Sandbox]:
        return self._open().__await__()

    async def __aenter__(self) -> Sandbox:
        self._sandbox = await self._open()
        return self._sandbox

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._sandbox is not None:
            await self._sandbox.close()

    async def _open(self) -> Sandbox:
        life, box = await creation.create(self._wish)
        try:
            if self._snapshot is not None:
                await box.restore(self._snapshot)
            if life.template.command is not None:
                await custom.start(life)
        except BaseException:
            await life.close()
            raise
        sandbox = Sandbox(life, box)
        if life.template.type is TemplateType.BROWSER:
            sandbox.browser.begin()
        return sandbox
