"""Contexts: where variables live on between runs."""

from __future__ import annotations

from collections.abc import Mapping

from agentrun.sandbox.life import Life
from agentrun.sandbox.values import ContextInfo, Execution, Language, OnOutput


class Context:
    """One of them."""

    def __init__(self, life: Life, info: ContextInfo) -> None:
        self._life = life
        self.info = info

    @property
    def id(self) -> str:
        return self.info.id

    async def run(
        self,
        code: str,
        *,
        timeout_s: float | None = None,
        env: Mapping[str, str] | None = None,
        on_output: OnOutput | None = None,
    ) -> Execution:
        """Run code in this context. Its output is told to `on_output` as it comes."""
        life = self._life
        with life.in_use() as box:
            return await box.execute(
                self.id,
                code,
                timeout_s=timeout_s or life.template.timeout_s,
                env=env or {},
                on_output=on_output,
            )

    async def interrupt(self) -> None:
        """Stop what it runs, as Ctrl-C does."""
        with self._life.in_use() as box:
            await box.interrupt(self.id)

    async def restart(self) -> None:
        """Forget its variables."""
        with self._life.in_use() as box:
            await box.restart_context(self.id)

    async def fork(self) -> Context:
        """A copy with the same variables, which goes its own way from here. Files are shared."""
        with self._life.in_use() as box:
            return Context(self._life, await box.fork_context(self.id))

    async def close(self) -> None:
        with self._life.in_use() as box:
            await box.close_context(self.id)


class Contexts:
    """The contexts of a sandbox."""

    def __init__(self, life: Life) -> None:
        self._life = life
        self._usual: dict[Language, Context] = {}

    async def create(
        self,
        language: Language = "python",
        *,
        cwd: str | None = None,
        env: Mapping[str, str] | None = None,
    ) -> Context:
        with self._life.in_use() as box:
            return Context(self._life, await box.open_context(language, cwd, env or {}))

    def list(self) -> list[ContextInfo]:
        with self._life.in_use() as box:
            return box.contexts()

    def get(self, id: str) -> Context:
        """The context of this id; NotFound if there is none."""
        return Context(self._life, self._life.context(id))

    async def usual(self, language: Language) -> Context:
        """The one that `Sandbox.run` uses, made when it is first needed."""
        known = self._usual.get(language)
        if known is None or not self._life.has_context(known.id):
            known = self._usual[language] = await self.create(language)
        return known
