"""`agentrun sandbox`, as a person uses it."""

import json
import os
import pty
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from patience import PATIENCE_S

from agentrun.sandbox import SyncSandbox, records

from .conftest import create


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def agentrun(*words: str, stdin: str | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "agentrun.cli", "sandbox", *words],
        input=stdin,
        capture_output=True,
        encoding="utf-8",
        timeout=PATIENCE_S,
    )


@pytest.fixture(autouse=True)
def possible(box: SyncSandbox) -> None:
    """Skips where there is no isolation."""


def test_code_is_run_and_its_output_printed(home: Path):
    ran = agentrun("run", "print('out')\n6 * 7")
    assert (ran.returncode, ran.stdout) == (0, "out\n42\n"), ran.stderr
    (home / "work.sh").write_text("echo $((6 * 7)); cat /etc/hostname", encoding="utf-8")
    assert agentrun("run", "--file", "work.sh").stdout == "42\nsandbox\n"
    assert agentrun("run", "-", stdin="'typed'").stdout == "'typed'\n"


def test_an_error_of_the_code_is_shown_and_is_the_exit_code(home: Path):
    ran = agentrun("run", "1 / 0")
    assert ran.returncode == 1 and "ZeroDivisionError" in ran.stderr and "<cell 1>" in ran.stderr
    said = json.loads(agentrun("run", "--json", "1 / 0").stdout)
    assert said["error"]["name"] == "ZeroDivisionError" and said["isolation"] == "namespaces"


def test_no_isolation_is_warned_of_each_time(home: Path):
    ran = agentrun("run", "--backend", "process", "1")
    assert ran.stdout == "1\n" and "no isolation" in ran.stderr


def test_templates_of_the_project_are_listed_and_used(home: Path):
    written = "sandboxes:\n  mine:\n    env: {COLOUR: green}\n    files: {notes.txt: here.txt}\n"
    (home / "agentrun.yaml").write_text(written, encoding="utf-8")
    (home / "here.txt").write_text("noted", encoding="utf-8")
    assert "mine  agentrun.yaml:2" in agentrun("templates").stdout
    code = "import os; os.environ['COLOUR'] + open('notes.txt').read()"
    assert agentrun("run", "-t", "mine", code).stdout == "'greennoted'\n"
    missed = agentrun("run", "-t", "mien", "1")
    assert missed.returncode == 2 and "Did you mean mine?" in missed.stderr


def test_sandboxes_of_other_processes_are_listed_read_and_stopped():
    with create(warm=0) as box:
        box.files.write("d/hello.txt", "hello")
        listed = json.loads(agentrun("list", "--json").stdout)["sandboxes"]
        assert (box.id, os.getpid()) in [(one["id"], one["owner_pid"]) for one in listed]
        assert "/home/user/d/" in agentrun("files", box.id).stdout
        assert agentrun("files", box.id[:12], "d/hello.txt").stdout == "hello"
        shown = json.loads(agentrun("files", box.id, "d/hello.txt", "--json").stdout)
        assert shown == {"path": "d/hello.txt", "base64": "aGVsbG8="}
        assert agentrun("files", box.id, "nothing").returncode == 1
        assert "began from template python" in agentrun("logs", box.id).stdout
        assert agentrun("stop", box.id).returncode == 0
        assert box.wait() == "it was stopped from outside"
    assert box.id not in agentrun("list").stdout
    assert agentrun("stop", "sbx_none").returncode == 4


def test_what_cannot_be_is_said_in_a_line(home: Path):
    (home / "binary.py").write_bytes(b"\xff\xfe")
    for words, code, said in (
        (("run", "--file", "none.py"), 2, "none.py cannot be read: No such file"),
        (("run", "--file", "binary.py"), 2, "binary.py is no text"),
        (("run", "--file", "none.py", "1"), 2, "both code and a file"),
        (("run", "--template", "none", "1"), 2, 'no sandbox template "none"'),
        (("run", "--backend", "none", "1"), 2, 'no sandbox backend "none"'),
        (("run", "--language", "ruby", "1"), 2, "no language 'ruby'"),
        (("run", "--timeout", "soon", "1"), 2, "'--timeout'"),
        (("files", "none"), 4, "no sandbox whose id begins with none"),
        (("logs", "none"), 4, "no sandbox whose id begins with none"),
        (("shell",), 2, "needs a terminal"),
        (("serve", "--port", "65536"), 2, "'--port'"),
        (("serve", "--host", "0.0.0.0", "--port", "0"), 2, "without a key"),
    ):
        ran = agentrun(*words, stdin="")
        assert (ran.returncode, ran.stdout) == (code, ""), words
        assert said in ran.stderr and ran.stderr.startswith("Error: ") and ran.stderr.count("\n") == 1, ran


def test_code_that_took_too_long_is_said_to(home: Path):
    ran = agentrun("run", "--timeout", "0.5", "while True: pass")
    assert ran.returncode == 1 and "TimeoutError: It was stopped after 0.5 s." in ran.stderr


def test_a_reader_that_leaves_ends_the_code(home: Path):
    command = f"{sys.executable} -m agentrun.cli sandbox run 'while True: print(1)' | head -n 1"
    ran = subprocess.run(["bash", "-c", command], capture_output=True, encoding="utf-8", timeout=PATIENCE_S)
    assert (ran.stdout, ran.stderr) == ("1\n", "")


def test_a_sandbox_is_stopped_although_its_owner_does_not_answer():
    code = "from agentrun.sandbox import SyncSandbox as S\nprint(S.create(warm=0).id, flush=True)\ninput()"
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen([sys.executable, "-c", code], **pipes, encoding="utf-8") as owner:
        assert owner.stdout is not None
        id = owner.stdout.readline().strip()
        (record,) = (one for one in records.every() if one.id == id)
        owner.send_signal(signal.SIGSTOP)
        assert agentrun("stop", id).returncode == 0
        assert record.first is not None and not record.first.alive
        assert id not in agentrun("list").stdout
        owner.kill()


def test_a_shell_is_a_terminal_in_a_sandbox(home: Path):
    pid, terminal = pty.fork()
    if pid == 0:
        os.execv(sys.executable, [sys.executable, "-m", "agentrun.cli", "sandbox", "shell"])
    said = b""
    while b"$ " not in said:  # what is typed before is not for it
        said += os.read(terminal, 4096)
    os.write(terminal, b"cat /etc/hostname; exit 7\n")
    while piece := _read(terminal):
        said += piece
    os.close(terminal)
    assert b"\rsandbox\r\n" in said or b"\nsandbox\r\n" in said
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 7


def _read(terminal: int) -> bytes:
    try:
        return os.read(terminal, 4096)
    except OSError:  # it has ended
        return b""
