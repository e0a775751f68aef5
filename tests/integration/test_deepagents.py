"""A sandbox as the backend of Deep Agents: LangChain's standard tests for such."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from agentrun.errors import SandboxUnavailable

pytest.importorskip("deepagents", reason="It needs Python 3.11; there `make env` installs it.")

from langchain_tests.integration_tests.sandboxes import SandboxIntegrationTests

from agentrun.integration.deepagents import sandbox_backend


# the standard tests, and so their fixtures, are methods of a class
@pytest.mark.filterwarnings("ignore:Class-scoped fixture:pytest.PytestRemovedIn10Warning")
class TestSandbox(SandboxIntegrationTests):
    @pytest.fixture(scope="class")
    def sandbox(self) -> Iterator[Any]:
        try:
            backend = sandbox_backend("code", warm=0)
        except SandboxUnavailable as error:
            pytest.skip(str(error))
        yield backend
        backend.close()
