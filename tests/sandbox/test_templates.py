"""Templates: what a person may write, and what comes of it."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from agentrun.errors import ConfigError, SandboxUnavailable
from agentrun.sandbox import Mount, SyncSandbox, Template, TemplateType, names
from agentrun.sandbox.backends.bubblewrap import needs
from agentrun.sandbox.creation import choose
from agentrun.sandbox.registry import resolve

from .conftest import create


def test_a_template_comes_from_the_project_the_environment_or_is_built_in(
    project: Path, monkeypatch: pytest.MonkeyPatch
):
    (project / "agentrun.yaml").write_text("sandboxes:\n  mine:\n    warm: 5\n    type: browser\n", "utf-8")
    monkeypatch.setenv("AGENTRUN_SANDBOX_OTHER", '{"warm": 7}')
    assert names() == {
        "python": "built in",
        "code": "built in",
        "browser": "built in",
        "aio": "built in",
        "mine": "agentrun.yaml:2",
        "other": "environment AGENTRUN_SANDBOX_OTHER",
    }
    name, template = resolve("mine", {"idle_timeout_s": 5})
    assert (name, template.warm, template.idle_timeout_s) == ("mine", 5, 5)
    assert template.type is TemplateType.BROWSER
    assert resolve("other", {})[1].warm == 7
    assert resolve(Template.model_validate({"warm": 1}), {})[1].warm == 1


def test_changes_count_for_the_template_as_it_is_written_now(project: Path):
    written = project / "agentrun.yaml"
    written.write_text("sandboxes:\n  mine:\n    warm: 5\n", "utf-8")
    first = resolve("mine", {"env": {"a": "1"}})[1]
    assert (first.warm, first.env) == (5, {"a": "1"})
    assert resolve("mine", {"env": {"a": "2"}})[1].env == {"a": "2"}
    written.write_text("sandboxes:\n  mine:\n    warm: 17\n", "utf-8")
    assert resolve("mine", {"env": {"a": "1"}})[1].warm == 17
    assert resolve("python", {"warm": 3})[1] is resolve("python", {"warm": 3})[1]


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("warmth: 5", "has no key warmth"),
        ("warm: -1", "warm is wrong"),
        ("network: {allow: ['http://x.org/']}", "no host name"),
        ("mounts: [{source: /x, target: /home/user/x}]", "system or the working folder"),
        ("mounts: [{source: /x, target: /etc}]", "system or the working folder"),
        ("mounts: [{source: /x, target: /mnt/../etc}]", "without . and .."),
        ("mounts: [{source: /x, target: mnt}]", "absolute"),
        ("mounts: [{source: /x, target: /mnt/a}, {source: /x, target: /mnt/a/b}]", "inside another"),
        ("limits: {memory_mb: 1}", "limits.memory_mb is wrong"),
    ],
)
def test_what_is_wrong_is_said_with_its_place(project: Path, written: str, said: str):
    (project / "agentrun.yaml").write_text(f"sandboxes:\n  mine:\n    {written}\n", "utf-8")
    with pytest.raises(ConfigError, match=said) as error:
        resolve("mine", {})
    assert error.value.message.startswith(("agentrun.yaml:2:", "agentrun.yaml:3:"))


def test_an_unknown_name_or_backend_is_said_with_those_there_are(project: Path):
    with pytest.raises(ConfigError, match='no sandbox template "pyhton".*Did you mean python'):
        resolve("pyhton", {})
    with pytest.raises(ConfigError, match="There are: bubblewrap, docker, gvisor"):
        choose("docker-in-docker")


def test_auto_is_never_a_plain_process(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(needs, "_complete", False)
    monkeypatch.setattr(sys, "platform", "darwin")
    with pytest.raises(SandboxUnavailable, match="needs Linux, and this is darwin"):
        choose("auto")


def test_folders_of_this_machine_are_seen_where_they_are_mounted(tmp_path: Path):
    tmp_path.chmod(0o755)
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.txt").write_text("a", "utf-8")
    (tmp_path / "out").mkdir(mode=0o777)
    (tmp_path / "out").chmod(0o777)
    mounts = [Mount(str(tmp_path / "in"), "/mnt/in"), Mount(str(tmp_path / "out"), "/mnt/out", writable=True)]
    with create(mounts=mounts, warm=0) as box:
        assert box.files.read_text("/mnt/in/a.txt") == "a"
        refused = box.run("open('/mnt/in/b.txt', 'w')").error
        assert refused is not None and refused.name in ("OSError", "PermissionError")
        box.run("open('/mnt/out/b.txt', 'w').write('b')")
        box.run("import os; os.symlink('/etc/passwd', '/mnt/out/link')")
    assert (tmp_path / "out" / "b.txt").read_text("utf-8") == "b"
    assert os.readlink(tmp_path / "out" / "link") == "/etc/passwd"


def test_a_source_that_is_not_there_is_said(tmp_path: Path, box: SyncSandbox):
    with pytest.raises(ConfigError, match="does not exist"):
        create(mounts=[Mount(str(tmp_path / "none"), "/mnt/x")], warm=0)


def test_a_template_has_the_packages_of_an_interpreter_and_loads_some_before(box: SyncSandbox):
    with create(python=sys.executable, preload=["msgspec"], warm=0) as made:
        code = "import sys; before = 'msgspec' in sys.modules; import msgspec; (before, msgspec.json.encode([1]))"
        assert made.run(code).text == "(True, b'[1]')"
        assert made.processes.run(["python3", "-c", "import msgspec; print('there')"]).stdout == "there\n"
    failed = box.run("import msgspec").error
    assert failed is not None and failed.name == "ModuleNotFoundError"


def test_a_preload_that_fails_is_said():
    with pytest.raises(SandboxUnavailable, match="preload failed: ModuleNotFoundError"):
        create_or_raise(preload=["no_such_module"])
    with pytest.raises(ConfigError, match="no Python at"):
        create_or_raise(python="/no/such/python")


def create_or_raise(**options: object) -> None:
    create().close()  # skips where there is no isolation
    SyncSandbox.create(**options).close()  # type: ignore[arg-type]


def test_a_wheel_is_installed_from_a_file(box: SyncSandbox):
    build = """
import zipfile
with zipfile.ZipFile('tiny-1.0-py3-none-any.whl', 'w') as wheel:
    wheel.writestr('tiny.py', 'answer = 42')
    wheel.writestr('tiny-1.0.dist-info/METADATA', 'Metadata-Version: 2.1\\nName: tiny\\nVersion: 1.0\\n')
    wheel.writestr('tiny-1.0.dist-info/WHEEL', 'Wheel-Version: 1.0\\nGenerator: x\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n')
    wheel.writestr('tiny-1.0.dist-info/RECORD', '')
"""
    assert box.run(build).error is None
    done = box.install("--no-index", "./tiny-1.0-py3-none-any.whl")
    assert done.exit_code == 0, done.stderr
    assert box.run("import tiny; tiny.answer").text == "42"


def test_a_browsers_sandbox_may_hold_another_one():
    code = "import ctypes; libc = ctypes.CDLL(None, use_errno=True); (libc.unshare(0x10000000), libc.unshare(0x20000))"
    with create(type="browser", warm=0) as browser, create(warm=0) as plain:
        assert browser.run(code).text == "(0, -1)"
        assert plain.run(code).text == "(-1, -1)"


def test_strict_sandboxes_share_no_parent():
    code = "(hash('a'), id(object))"
    with create(warm=0) as one, create(warm=0) as two:
        assert one.run(code).text == two.run(code).text  # what a shared parent costs, as the docs say
    with create(strict=True) as one, create(strict=True) as two:
        assert one.run(code).text != two.run(code).text


def test_ready_ones_are_claimed_and_made_again():
    with create(warm=2) as first, create(warm=2) as second, create(warm=2) as third:
        assert len({box.run("import random; random.random()").text for box in (first, second, third)}) == 3
