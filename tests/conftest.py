"""What every test shares."""

import inspect
import os
import signal
from collections.abc import Generator, Iterator
from importlib.util import find_spec
from pathlib import Path

import httpx
import pytest
from fake_upstream import FakeUpstream
from patience import PATIENCE_S

# one test must not hear what another has said
os.environ["AGENTRUN_SESSIONS"] = "memory"
# a shell's background jobs ignore interrupts, and what they start does too
signal.signal(signal.SIGINT, signal.default_int_handler)
# httpx's own five seconds are few for a busy machine; all of its functions and clients share this default
_default = inspect.signature(httpx.get).parameters["timeout"].default
_default.connect = _default.read = _default.write = _default.pool = PATIENCE_S
if find_spec("hypothesis"):  # the environment of a single framework has none
    from hypothesis import HealthCheck, settings

    settings.register_profile(
        "dev", deadline=None, max_examples=100, suppress_health_check=[HealthCheck.too_slow]
    )
    # the same examples every time where CI runs them
    settings.register_profile("ci", settings.get_profile("dev"), derandomize=True)
    settings.load_profile("ci" if os.environ.get("CI") else "dev")


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
def upstream() -> Iterator[FakeUpstream]:
    """A model provider on a real socket."""
    server = FakeUpstream().start()
    yield server
    server.stop()


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder as the project, and an empty home; nothing of this machine's configuration is seen."""
    from agentrun import config
    from agentrun.models import presets, registry

    home = tmp_path / "home"
    home.mkdir()
    folder = tmp_path / "project"
    folder.mkdir()
    monkeypatch.chdir(folder)
    monkeypatch.setenv("HOME", str(home))
    for name in config.environment_names():
        if name.startswith("AGENTRUN_"):
            monkeypatch.delenv(name)
    for preset in presets.PRESETS.values():
        if preset.key:
            monkeypatch.delenv(preset.key, raising=False)
    registry.forget()
    return folder


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """What a test has logged may hold half a surrogate pair, which cannot be sent to who runs tests in parallel."""
    report = yield
    report.sections = [(name, text.encode("utf-8", "replace").decode()) for name, text in report.sections]
    return report
