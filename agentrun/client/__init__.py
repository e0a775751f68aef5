"""A typed client of a platform's control API: `AsyncClient`, and `Client` for code that does not await."""

from agentrun.client.access import Access
from agentrun.client.asynchronous import AsyncClient
from agentrun.client.synchronous import Client
from agentrun.client.terminal import Terminal

__all__ = ["Access", "AsyncClient", "Client", "Terminal"]
