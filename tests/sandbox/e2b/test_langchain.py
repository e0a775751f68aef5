"""An integration that is made for E2B, unmodified: LangChain's, held to LangChain's own standard tests."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from ..service.conftest import Service

pytest.importorskip("langchain_e2b", reason="It needs Python 3.11; there `make env` installs it.")

from e2b import Sandbox
from langchain_e2b import E2BSandbox
from langchain_tests.integration_tests.sandboxes import SandboxIntegrationTests


# the standard tests, and so their fixtures, are methods of a class
@pytest.mark.filterwarnings("ignore:Class-scoped fixture:pytest.PytestRemovedIn10Warning")
class TestSandbox(SandboxIntegrationTests):
    @pytest.fixture(scope="class")
    def sandbox(self, served: Service) -> Iterator[Any]:
        box = Sandbox.create()
        yield E2BSandbox(sandbox=box)
        box.kill()
