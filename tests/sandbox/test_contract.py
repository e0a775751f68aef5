"""What every backend does alike."""

from __future__ import annotations

import base64
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from patience import PATIENCE_S

from agentrun.errors import Conflict, NotFound, RequestError, TooLarge
from agentrun.sandbox import Result, Stderr, Stdout, SyncSandbox
from agentrun.sandbox.backends.bubblewrap import pool

from .conftest import create
from .service.conftest import Service

PNG = base64.b64encode(b"\x89PNG").decode()


@pytest.fixture(scope="module")
def elsewhere(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with Service(tmp_path_factory.mktemp("elsewhere"), "--key", "of the contract") as service:
        yield service


@pytest.fixture(params=["bubblewrap", "bubblewrap, flat", "docker", "gvisor", "process", "remote"])
def box(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[SyncSandbox]:
    # as on systems that let nobody make namespaces below those of bwrap
    monkeypatch.setattr(pool, "_flat", request.param.endswith("flat"))
    options: dict[str, object] = {"backend": request.param.partition(",")[0], "warm": 0}
    if request.param == "remote":
        service: Service = request.getfixturevalue("elsewhere")
        options["remote"] = {"url": service.url, "key": "of the contract"}
    if request.param == "docker":
        options["image"] = request.getfixturevalue("docker").image
    with create(**options) as made:
        yield made


def test_variables_live_on(box: SyncSandbox):
    assert box.run("x = 41\nprint('hi')").stdout == "hi\n"
    ran = box.run("x + 1")
    assert (ran.text, ran.count, ran.error) == ("42", 2, None)


def test_a_traceback_shows_the_users_lines_and_no_others(box: SyncSandbox):
    error = box.run("def f():\n    return 1 / 0\n\nf()").error
    assert error is not None
    assert (error.name, error.value) == ("ZeroDivisionError", "division by zero")
    assert '<cell 1>", line 4' in error.traceback and "return 1 / 0" in error.traceback
    assert "python.py" not in error.traceback
    error = box.run("x = (").error
    assert error is not None and error.name == "SyntaxError"


def test_output_is_told_as_it_comes(box: SyncSandbox):
    told: list[object] = []
    code = "import sys\nprint('a')\ndisplay(1)\nprint('b', file=sys.stderr)\n2"
    ran = box.run(code, on_output=told.append)
    assert Stdout("a\n") in told and Stderr("b\n") in told
    shown = [one for one in told if isinstance(one, Result)]
    assert [one.text for one in shown] == ["1", "2"] and [one.main for one in shown] == [False, True]
    assert told.index(Stdout("a\n")) < told.index(shown[0])
    assert ran.stderr == "b\n"


def test_output_of_children_and_of_c_is_output_too(box: SyncSandbox):
    code = "import os, subprocess\nsubprocess.run(['echo', 'child'])\nos.write(1, b'direct\\n')"
    assert box.run(f"{code}\nNone").stdout == "child\ndirect\n"


def test_a_result_has_many_faces(box: SyncSandbox):
    code = """
class Thing:
    def _repr_html_(self): return "<b>thing</b>"
    def _repr_png_(self): return b"\\x89PNG"
    def _repr_svg_(self): return "<svg/>"
    def _repr_json_(self): return {"a": [1]}
    def _repr_latex_(self): raise ValueError
    def __repr__(self): return "thing"
Thing()"""
    result = box.run(code).results[0]
    assert (result.text, result.html, result.svg, result.json) == (
        "thing",
        "<b>thing</b>",
        "<svg/>",
        {"a": [1]},
    )
    assert result.png == PNG and "text/latex" not in result.data


def test_code_may_wait(box: SyncSandbox):
    code = "import asyncio\nasync def f(): return 5\nawait asyncio.sleep(0)\nawait f()"
    assert box.run(code).text == "5"


def test_habits_from_notebooks_work(box: SyncSandbox):
    assert box.run("for word in ['a']:\n    !echo from a shell").stdout == "from a shell\n"
    assert box.run("'!not a command'").text == "'!not a command'"


def test_code_that_takes_too_long_is_stopped_and_keeps_its_variables(box: SyncSandbox):
    box.run("y = 1")
    ran = box.run("while True: pass", timeout_s=0.3)
    assert ran.error is not None and ran.error.name == "TimeoutError" and not ran.state_lost
    assert box.run("y").text == "1"


def test_code_that_does_not_listen_loses_its_context(box: SyncSandbox):
    deaf = "import time\ny = 1\ndef deaf():\n    try: time.sleep(1000)\n    except KeyboardInterrupt: deaf()"
    box.run(deaf)
    ran = box.run("deaf()", timeout_s=0.3)
    assert ran.error is not None and ran.error.name == "TimeoutError" and ran.state_lost
    again = box.run("y")
    assert again.error is not None and again.error.name == "NameError"


def test_a_context_that_dies_is_a_result(box: SyncSandbox):
    ran = box.run("print('last words', flush=True)\nimport os; os._exit(3)")
    assert ran.error is not None and ran.error.name == "ContextDied" and "exit code 3" in ran.error.value
    assert ran.state_lost and ran.stdout == "last words\n"
    assert box.run("1").text == "1"


def test_a_run_has_its_own_environment(box: SyncSandbox):
    code = "import os; os.environ.get('COLOUR')"
    assert box.run(code, env={"COLOUR": "green"}).text == "'green'"
    assert box.run(code).text is None


def test_contexts_are_apart_and_can_be_copied(box: SyncSandbox):
    first = box.contexts.create()
    first.run("x = [1]")
    copy = first.fork()
    assert copy.run("x.append(2); x").text == "[1, 2]"
    assert first.run("x").text == "[1]"
    other = box.contexts.create(cwd="elsewhere")
    assert other.run("import os; os.path.basename(os.getcwd())").text == "'elsewhere'"
    assert {context.id for context in box.contexts.list()} == {first.id, copy.id, other.id}
    first.restart()
    assert first.run("'x' in globals()").text == "False"
    copy.close()
    with pytest.raises(NotFound):
        box.contexts.get(copy.id)


def test_a_copy_has_other_random_numbers(box: SyncSandbox):
    first = box.contexts.create()
    first.run("import random; random.seed(1)")
    copy = first.fork()
    assert copy.run("random.random()").text != first.run("random.random()").text


def test_bash_keeps_its_state(box: SyncSandbox):
    assert box.run("x=5; cd /tmp", language="bash").error is None
    ran = box.run('echo $x; pwd; echo "it\'s" >&2\nfalse', language="bash")
    assert (ran.stdout, ran.stderr) == ("5\n/tmp\n", "it's\n")
    assert ran.error is not None and ran.error.value == "exit status 1"
    stopped = box.run("sleep 100", language="bash", timeout_s=0.3)
    assert stopped.error is not None and stopped.error.name == "TimeoutError"
    assert box.run("echo $x", language="bash").stdout == "5\n"


def test_code_is_interrupted_although_its_owner_ignores_interrupts(box: SyncSandbox):
    """As whoever a shell has started in the background does."""
    program = (
        "from agentrun.sandbox import SyncSandbox\n"
        f"options = {{'backend': {box.isolation.backend!r}, 'image': {box.template.image!r}}}\n"
        "with SyncSandbox.create(**options, warm=0) as box:\n"
        "    stopped = box.run('sleep 100', language='bash', timeout_s=0.3)\n"
        "    print(stopped.error.name, stopped.state_lost)"
    )
    ran = subprocess.run(
        ["sh", "-c", 'trap "" INT; exec "$0" -c "$1"', sys.executable, program],
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.stdout == "TimeoutError False\n", ran.stderr


def test_javascript_keeps_its_state(box: SyncSandbox):
    assert box.run("const a = 40; a + 2", language="javascript").text == "42"
    ran = box.run("console.log('out'); await Promise.resolve({b: a})", language="javascript")
    assert ran.stdout == "out\n" and ran.results[0].json == {"b": 40}
    failed = box.run("null.x", language="javascript")
    assert failed.error is not None and failed.error.name == "TypeError"
    stopped = box.run("while (true) {}", language="javascript", timeout_s=0.5)
    assert stopped.error is not None and stopped.error.name == "TimeoutError"
    assert box.run("a", language="javascript").text == "40"


def test_files_go_in_and_out(box: SyncSandbox, tmp_path: Path):
    written = box.files.write("a/b/c.txt", "hello", mode=0o600)
    assert (written.size, written.mode, written.type, written.name) == (5, 0o600, "file", "c.txt")
    assert box.files.read_text("a/b/c.txt") == "hello"
    assert box.run("open('a/b/c.txt').read()").text == "'hello'"
    big = tmp_path / "big"
    big.write_bytes(bytes(range(256)) * 20_000)
    box.files.upload(big, "big")
    assert box.files.download("big", tmp_path / "back") == 256 * 20_000
    assert (tmp_path / "back").read_bytes() == big.read_bytes()
    assert not (tmp_path / "back.part").exists()


def test_the_kernel_s_files_are_read_although_they_say_that_they_are_empty(box: SyncSandbox):
    assert box.files.read_text("/proc/self/status").startswith("Name:")
    box.files.write("empty", b"")
    assert box.files.read("empty") == b""


def test_folders_are_listed_made_moved_and_removed(box: SyncSandbox):
    box.files.write("d/one", "1")
    box.files.make_dir("d/e/f")
    names = [(entry.name, entry.type) for entry in box.files.list("d", depth=3)]
    assert names == [("e", "dir"), ("f", "dir"), ("one", "file")]
    assert [entry.name for entry in box.files.list("d")] == ["e", "one"]
    assert [entry.name for entry in box.files.list("d", limit=1)] == ["e"]
    box.files.move("d/one", "d/new/two")
    assert box.files.exists("d/new/two") and not box.files.exists("d/one")
    box.files.remove("d")
    assert not box.files.exists("d")


def test_what_cannot_be_done_with_files_is_said(box: SyncSandbox):
    with pytest.raises(NotFound):
        box.files.read("nothing")
    with pytest.raises(RequestError) as refused:
        box.files.read(".")
    assert refused.value.code == "is_directory"
    box.files.write("five", "12345")
    with pytest.raises(TooLarge):
        box.files.read("five", limit=4)
    for bad in ("a\0b", "x" * 5000, "y" * 256, ""):
        with pytest.raises(RequestError):
            box.files.write(bad, "")
    box.run("import os; os.mkfifo('pipe')")
    with pytest.raises(RequestError) as refused:
        box.files.read("pipe")
    assert refused.value.code == "not_a_file"
    with pytest.raises(RequestError):
        box.files.remove(".")


def test_a_file_that_does_not_come_whole_is_not_there(box: SyncSandbox):
    def broken() -> Iterator[bytes]:
        yield b"half"
        raise ValueError("no more")

    box.files.write("old", "as it was")
    with pytest.raises(ValueError, match="no more"):
        box.files.write("old", broken())
    assert box.files.read("old") == b"as it was"
    assert [entry.name for entry in box.files.list() if ".part" in entry.name] == []


def test_changes_are_told(box: SyncSandbox):
    box.files.make_dir("seen/deep")
    with box.files.watch("seen") as changes:
        box.run("open('seen/deep/new', 'w').close()")
        change = next(changes)
    assert change.path.endswith("seen/deep/new") and change.change == "created"
    with pytest.raises(NotFound), box.files.watch("nothing"):
        raise AssertionError("Nothing was watched.")


def test_who_watches_comes_to_an_end_with_the_sandbox(box: SyncSandbox):
    with box.files.watch(".") as changes:
        box.files.write("last", "words")
        box.close()
        assert {change.path.rpartition("/")[2] for change in changes} <= {"last"}


def test_commands_run_to_their_end(box: SyncSandbox):
    done = box.processes.run("echo out; echo err >&2; exit 3")
    assert (done.exit_code, done.stdout, done.stderr) == (3, "out\n", "err\n")
    assert box.processes.run(["cat"], stdin="typed").stdout == "typed"
    assert box.processes.run("echo $A", env={"A": "b"}).stdout == "b\n"
    assert box.processes.run("kill -9 $$").exit_code == -9
    with pytest.raises(NotFound):
        box.processes.run(["/no/such/program"])


def test_a_command_that_takes_too_long_is_killed_and_what_it_said_is_kept(box: SyncSandbox):
    assert box.processes.run("sleep 1000", timeout_s=0.2).timed_out
    slow = box.processes.start("echo first; touch said; exec sleep 1000")
    while not box.files.exists("said"):
        pass
    done = slow.finish(timeout_s=0.2)
    assert (done.timed_out, done.stdout, done.exit_code) == (True, "first\n", -9)


def test_a_process_in_the_background_is_spoken_to(box: SyncSandbox):
    process = box.processes.start("while read line; do echo got $line; done", stdin=True)
    assert process.pid in [one.pid for one in box.processes.list() if one.started_here]
    process.write("one\n")
    output = process.output()
    assert next(output) == ("stdout", b"got one\n")
    process.close_stdin()
    assert process.wait(PATIENCE_S) == 0
    with pytest.raises(Conflict):
        process.write("late")
    sleeper = box.processes.start("sleep 100")
    sleeper.signal(15)
    assert sleeper.wait(PATIENCE_S) == -15


def test_who_ends_a_process_finds_it_ended(box: SyncSandbox):
    def running() -> list[int]:
        return [one.pid for one in box.processes.list()]

    for _ in range(10):
        killed = box.processes.start("trap '' TERM; sleep 1000")
        killed.kill()
        assert killed.pid not in running()
        killed.kill()  # once more is fine
        line = box.processes.run("setsid sleep 1000 >/dev/null 2>&1 & echo $!").stdout
        stranger = int(line)
        assert stranger in running()
        box.processes.end(stranger)
        assert stranger not in running()
        with pytest.raises(NotFound, match=f"no process {stranger}"):
            box.processes.end(stranger)
    with pytest.raises(NotFound, match="no process 1 "):
        box.processes.end(1)


def test_who_cannot_take_the_output_is_told_so_and_nothing_goes_on(box: SyncSandbox):
    def full(_: object) -> None:
        raise ValueError("full")

    endless = "import time\nkept = 1\nwhile True:\n    print('x')\n    time.sleep(0.01)"
    with pytest.raises(ValueError, match="full"):
        box.run(endless, on_output=full)
    assert box.run("kept").text == "1"
    with pytest.raises(ValueError, match="full"):
        box.processes.run("echo begun; exec sleep 1234", on_output=full)
    assert "sleep 1234" not in {one.command for one in box.processes.list()}


def test_a_process_says_when_it_began(box: SyncSandbox):
    before_s = time.time()
    process = box.processes.start("sleep 1000")
    (info,) = (one for one in box.processes.list() if one.pid == process.pid)
    assert before_s - 1 < info.began_s < time.time() + 1  # the kernel's clock ticks a hundred times a second
    process.kill()


def test_a_process_has_a_terminal_if_it_is_asked_for(box: SyncSandbox):
    process = box.processes.start(["bash", "--norc"], pty=(100, 30))
    process.write("stty size; test -t 0 && echo a terminal\nexit\n")
    done = process.finish(PATIENCE_S)
    assert "30 100" in done.stdout and "a terminal\r\n" in done.stdout and done.exit_code == 0


def test_all_that_runs_rests_when_it_is_paused(box: SyncSandbox):
    """What has set itself apart, too."""
    count = "import time\nn = 0\nwhile True:\n    n += 1\n    open('part', 'w').write(str(n))\n    import os; os.rename('part', 'count')"
    box.files.write("count.py", count)
    box.processes.run("setsid python3 count.py >/dev/null 2>&1 </dev/null &")
    while not box.files.exists("count"):
        pass
    for _ in range(5):
        box.pause()
        seen = {(box.files.exists("part"), box.files.read_text("count")) for _ in range(20)}
        assert len(seen) == 1, seen
        box.resume()
        while box.files.read_text("count") == seen.copy().pop()[1]:
            pass


def test_it_says_what_it_uses(box: SyncSandbox):
    box.run("kept = bytearray(30_000_000)")
    used = box.metrics()
    assert used.memory_bytes > 30_000_000 and used.processes >= 2 and used.cpu_s > 0


def test_the_same_methods_are_there_for_programs_without_a_loop():
    from agentrun.sandbox import Sandbox, contexts, files, processes, sync

    pairs = [
        (Sandbox, SyncSandbox),
        (contexts.Context, sync.SyncContext),
        (contexts.Contexts, sync.SyncContexts),
        (files.Files, sync.SyncFiles),
        (processes.Process, sync.SyncProcess),
        (processes.Processes, sync.SyncProcesses),
    ]
    for awaited, waiting in pairs:
        missing = {name for name in vars(awaited) if not name.startswith("_")} - set(vars(waiting))
        assert not missing, f"{waiting.__name__} lacks {missing}"
