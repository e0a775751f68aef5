"""A sandbox as the backend of Deep Agents: LangChain's standard tests for such."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from agentrun.errors import SandboxUnavailable

# the standard tests expect the paths that glob gave until then
pytest.importorskip("deepagents", reason='not installed: pip install "deepagents<0.7"')

from langchain_tests.integration_tests.sandboxes import SandboxIntegrationTests

from agentrun.integration.deepagents import sandbox_backend


class TestSandbox(SandboxIntegrationTests):
    @pytest.fixture(scope="class")
    def sandbox(self) -> Iterator[Any]:
        try:
            backend = sandbox_backend("code", warm=0)
        except SandboxUnavailable as error:
            pytest.skip(str(error))
        yield backend
        backend.close()
