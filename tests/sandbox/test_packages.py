"""Packages in sandboxes: those of an interpreter, of a template, and those that code installs; what they draw and show."""

from __future__ import annotations

import asyncio
import base64
import functools
import http.server
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree

import pytest

from agentrun.errors import ConfigError
from agentrun.sandbox import Sandbox, SyncSandbox

from .conftest import create
from .possible import unless_impossible

PLOT = "import matplotlib.pyplot as plt\nfigure, axes = plt.subplots()\naxes.plot([1, 2, 4])\n"


@pytest.fixture(scope="module")
def scientist() -> Iterator[SyncSandbox]:
    """A sandbox with the packages that the tests run with."""
    with create(python=sys.executable, warm=0, limits={"memory_mb": 2048}) as made:
        yield made


@pytest.mark.parametrize("how", ["plt.show()", "figure", "pass"])
def test_a_figure_comes_as_png_and_svg_once(scientist: SyncSandbox, how: str):
    ran = scientist.run(PLOT + how)
    assert ran.error is None
    [shown] = ran.results
    assert base64.b64decode(shown.png or "").startswith(b"\x89PNG\r\n\x1a\n")
    assert ElementTree.fromstring(shown.svg or "").tag.endswith("svg")
    assert (shown.text or "").startswith("<Figure size ")
    assert scientist.run("len(plt.get_fignums())").text == "0"


def test_each_figure_of_a_cell_is_shown(scientist: SyncSandbox):
    assert [bool(result.png) for result in scientist.run(PLOT + PLOT + "pass").results] == [True, True]


def test_a_table_comes_as_html_and_text(scientist: SyncSandbox):
    ran = scientist.run("import pandas\npandas.DataFrame({'city': ['Paris', 'Rome'], 'people': [2, 3]})")
    [shown] = ran.results
    assert "<table" in (shown.html or "") and "<td>Paris</td>" in (shown.html or "")
    assert (shown.text or "").splitlines()[1].split() == ["0", "Paris", "2"]


def test_what_is_preloaded_is_there_and_random_in_each():
    preload = ["numpy", "pandas"]
    drawn: set[str | None] = set()
    for _ in range(3):
        with create(python=sys.executable, preload=preload, warm=0, limits={"memory_mb": 2048}) as box:
            assert box.run("import sys; {'numpy', 'pandas'} <= set(sys.modules)").text == "True"
            drawn.add(box.run("import numpy; numpy.random.random()").text)
    assert len(drawn) == 3


# --- a package made here


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A package that is nowhere else, built as any is."""
    project = tmp_path_factory.mktemp("greeting")
    (project / "greeting").mkdir()
    (project / "greeting" / "__init__.py").write_text("def hello():\n    return 'hello'\n", "utf-8")
    (project / "pyproject.toml").write_text(
        '[build-system]\nrequires = ["hatchling"]\nbuild-backend = "hatchling.build"\n'
        '[project]\nname = "greeting"\nversion = "1.0"\n',
        "utf-8",
    )
    subprocess.run([sys.executable, "-m", "hatchling", "build", "-t", "wheel"], cwd=project, check=True)
    [built] = (project / "dist").iterdir()
    return built


def test_a_template_has_its_packages_and_installs_them_once(
    wheel: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("HOME", str(tmp_path))
    for _ in range(2):
        with create(packages=[str(wheel)], warm=0) as box:
            assert box.run("import greeting\ngreeting.hello()").text == "'hello'"
            assert box.run("greeting.__file__ = ''\nopen(greeting.__spec__.origin, 'w')").error is not None
    [kept] = (tmp_path / ".cache" / "agentrun" / "packages").iterdir()
    assert (kept / "greeting").is_dir()


def test_a_package_that_cannot_be_had_is_a_mistake_in_the_template(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("HOME", str(tmp_path))
    with pytest.raises(ConfigError, match=r"nothing\.whl could not be installed"):
        create(packages=[str(tmp_path / "nothing.whl")], warm=0)
    assert list((tmp_path / ".cache" / "agentrun" / "packages").iterdir()) == []


# --- pip in a sandbox


@pytest.fixture
def index(wheel: Path, tmp_path: Path) -> Iterator[int]:
    """The port of a package index that has this one package."""
    folder = tmp_path / "simple" / "greeting"
    folder.mkdir(parents=True)
    (folder / wheel.name).write_bytes(wheel.read_bytes())
    handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=str(tmp_path))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server.server_address[1]
        server.shutdown()
        thread.join()


async def test_pip_installs_where_the_policy_allows_the_index(index: int):
    env = {"PIP_INDEX_URL": "http://index.test/simple/", "PIP_TRUSTED_HOST": "index.test"}
    with unless_impossible():
        box = await Sandbox.create(network={"allow": ["index.test"]}, env=env, warm=0)
    async with box:
        # no name leads a sandbox to this machine, so the test says where this one leads
        box._box.proxy.connect = lambda host, port: asyncio.open_connection("127.0.0.1", index)
        assert (await box.run("import greeting")).error is not None
        done = await box.install("greeting")
        assert done.exit_code == 0, done
        assert (await box.run("import greeting\ngreeting.hello()")).text == "'hello'"


def test_pip_installs_nothing_without_a_network(box: SyncSandbox):
    done = box.processes.run(
        "python3 -m pip install --user --retries 0 --disable-pip-version-check greeting", timeout_s=30
    )
    assert done.exit_code == 1 and "greeting" in done.stderr
