"""Model: a named LLM, and the clients that talk to it."""

from __future__ import annotations

import logging
from functools import cached_property
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from agentrun.models.http import httpx
from agentrun.models.meter import Meter
from agentrun.models.router import Router
from agentrun.models.spec import BUILTIN, LOCAL, ModelSpec
from agentrun.models.transport import AsyncTransport, SyncTransport
from agentrun.utils.log import when_configured

if TYPE_CHECKING:
    from openai import AsyncOpenAI, OpenAI

logger = logging.getLogger("agentrun.models")

# What clients of the OpenAI API insist on; the key of a provider is put in behind them.
UNUSED_KEY = "kept-by-agentrun"


class Model:
    """What a name resolved to. `source` says where it was found; it `stands_in` for one that nobody configured.

    `id` is what the provider calls it, or the name itself where there are several behind it.
    """

    def __init__(
        self,
        name: str,
        spec: ModelSpec,
        router: Router,
        *,
        base_url: str,
        source: str,
        stands_in: bool = False,
    ) -> None:
        self.name = name
        self.spec = spec
        self.source = source
        self.base_url = base_url
        self.id = spec.model or name
        self._router = router
        self._base_path = urlsplit(base_url).path.rstrip("/")
        self.stands_in = stands_in
        self._announced = False
        when_configured(self._announce)

    @property
    def is_builtin(self) -> bool:
        return self.spec.provider == BUILTIN

    @property
    def meters(self) -> list[Meter]:
        """What each model behind this name has used in this process."""
        return [upstream.meter for upstream in self._router.upstreams]

    def describe(self) -> str:
        """In one line: what answers to this name, and why."""
        if self.spec.proxy is not None:
            names = ", ".join(upstream.name for upstream in self._router.upstreams)
            return f'Model "{self.name}" is {self.spec.strategy} over {names} ({self.source}).'
        if self.is_builtin:
            return f'Model "{self.name}" is builtin, which is no language model ({self.source}).'
        if self.spec.provider == LOCAL:
            return f'Model "{self.name}" is the file {self.id} in this process ({self.source}).'
        return f'Model "{self.name}" is {self.id} at {self.base_url} ({self.source}).'

    def _announce(self) -> None:
        """Log what was chosen and why: as the server starts, or at first use."""
        if self._announced:
            return
        self._announced = True
        logger.log(logging.WARNING if self.stands_in else logging.INFO, self.describe())

    @cached_property
    def http_client(self) -> httpx.Client:
        """A synchronous HTTP client that reaches this model, whatever kind it is."""
        return httpx.Client(
            transport=SyncTransport(self._router, self._base_path, self._announce), timeout=None
        )

    @cached_property
    def http_async_client(self) -> httpx.AsyncClient:
        """An asynchronous one, for any event loop."""
        return httpx.AsyncClient(
            transport=AsyncTransport(self._router, self._base_path, self._announce), timeout=None
        )

    @cached_property
    def client(self) -> OpenAI:
        """The `openai` client of this model. Retries are the router's."""
        from openai import OpenAI

        return OpenAI(
            base_url=self.base_url,
            api_key=UNUSED_KEY,
            max_retries=0,
            http_client=self.http_client,  # type: ignore[arg-type]
        )

    @cached_property
    def async_client(self) -> AsyncOpenAI:
        """The asynchronous `openai` client of this model."""
        from openai import AsyncOpenAI

        return AsyncOpenAI(
            base_url=self.base_url,
            api_key=UNUSED_KEY,
            max_retries=0,
            http_client=self.http_async_client,  # type: ignore[arg-type]
        )

    def __repr__(self) -> str:
        return f"<Model {self.name!r}: {self.id} from {self.source}>"
