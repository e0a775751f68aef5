"""What `import agentrun` promises: every name it lists, and none of the weight it does not need."""

import importlib
import json
import subprocess
import sys

import pytest
from patience import PATIENCE_S

# Each costs 20 ms or much more, and a server can be started without it.
HEAVY = {
    "agents",
    "agentscope",
    "anthropic",
    "crewai",
    "google.adk",
    "httpx",
    "langchain",
    "langchain_core",
    "langchain_openai",
    "langgraph",
    "litellm",
    "mcp",
    "openai",
    "pydantic_ai",
    "rich",
    "typer",
    "yaml",
}


@pytest.mark.parametrize("package", ["agentrun", "agentrun.server"])
def test_every_listed_name_can_be_imported(package: str):
    module = importlib.import_module(package)
    names: list[str] = getattr(module, "__all__", [])
    assert [name for name in names if not hasattr(module, name)] == []
    assert len(set(names)) == len(names)


@pytest.mark.parametrize("package", ["agentrun", "agentrun.server"])
def test_import_loads_no_framework(package: str):
    script = f"import {package}, json, sys; print(json.dumps(sorted(sys.modules)))"
    run = subprocess.run(
        [sys.executable, "-c", script],
        check=True,
        stdout=subprocess.PIPE,
        encoding="utf-8",
        timeout=PATIENCE_S,
    )
    assert HEAVY.intersection(json.loads(run.stdout)) == set()


def test_import_configures_no_logging():
    script = "import logging, agentrun.server; print(logging.getLogger().handlers)"
    run = subprocess.run(
        [sys.executable, "-c", script],
        check=True,
        stdout=subprocess.PIPE,
        encoding="utf-8",
        timeout=PATIENCE_S,
    )
    assert run.stdout.strip() == "[]"
