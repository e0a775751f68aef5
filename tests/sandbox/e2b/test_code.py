"""E2B's code interpreter."""

from __future__ import annotations

import threading
from typing import Any

import pytest

RICH = """
class Thing:
    def _repr_html_(self): return "<b>thing</b>"
    def _repr_png_(self): return b"png"
    def _repr_json_(self): return {"a": 1}
    def _repr_mimebundle_(self): return {"application/vnd.own": "own"}
    def __repr__(self): return "thing"
display(Thing())
7"""


def test_variables_live_on(box: Any):
    assert box.run_code("x = 41").text is None
    ran = box.run_code("x + 1")
    assert ran.text == "42" and ran.error is None and ran.execution_count >= 2


def test_output_and_results_are_told_as_they_come(box: Any):
    told: list[Any] = []
    code = "import sys\nprint('out')\nprint('err', file=sys.stderr)\n'value'"
    ran = box.run_code(
        code,
        on_stdout=lambda said: told.append(("out", said.line, said.error)),
        on_stderr=lambda said: told.append(("err", said.line, said.error)),
        on_result=lambda result: told.append(("result", result.text)),
    )
    assert ("out", "out\n", False) in told and ("err", "err\n", True) in told
    assert told[-1] == ("result", "'value'")
    assert ran.logs.stdout == ["out\n"] and ran.logs.stderr == ["err\n"]


def test_the_first_line_does_not_wait_for_the_last(box: Any):
    """The code waits for a file that is written when its first line has come."""
    code = "import os, time\nprint('first', flush=True)\nwhile not os.path.exists('go'): time.sleep(0.01)\nprint('last')"
    wrote: list[threading.Thread] = []

    def go(said: Any) -> None:
        if said.line == "first\n":
            wrote.append(threading.Thread(target=lambda: box.files.write("go", "")))
            wrote[0].start()

    ran = box.run_code(code, on_stdout=go)
    wrote[0].join()
    assert "".join(ran.logs.stdout) == "first\nlast\n"


def test_results_have_their_faces(box: Any):
    shown, main = box.run_code(RICH).results
    assert (shown.text, shown.html, shown.png, shown.json) == ("thing", "<b>thing</b>", "cG5n", {"a": 1})
    assert shown.extra == {"application/vnd.own": "own"} and not shown.is_main_result
    assert main.text == "7" and main.is_main_result


def test_an_error_of_the_code_is_part_of_what_comes(box: Any):
    told: list[Any] = []
    ran = box.run_code("def f():\n    return 1 / 0\nf()", on_error=told.append)
    assert (ran.error.name, ran.error.value) == ("ZeroDivisionError", "division by zero")
    assert "return 1 / 0" in ran.error.traceback and told == [ran.error]


@pytest.mark.parametrize(
    ("language", "code", "said"), [("bash", "echo $((1 + 2))", "3\n"), ("js", "console.log(1 + 2)", "3\n")]
)
def test_other_languages(box: Any, language: str, code: str, said: str):
    assert "".join(box.run_code(code, language=language).logs.stdout) == said


def test_an_unknown_language_is_refused(box: Any):
    with pytest.raises(Exception, match="There is no language 'r'"):
        box.run_code("1", language="R")


def test_contexts(box: Any):
    context = box.create_code_context(cwd="/tmp")
    assert (context.language, context.cwd) == ("python", "/tmp")
    box.run_code("mine = 1", context=context)
    assert box.run_code("mine", context=context).text == "1"
    assert box.run_code("mine").error.name == "NameError"
    assert context.id in {one.id for one in box.list_code_contexts()}
    box.restart_code_context(context)
    assert box.run_code("mine", context=context).error.name == "NameError"
    box.remove_code_context(context)
    assert context.id not in {one.id for one in box.list_code_contexts()}
    with pytest.raises(Exception, match="There is no context"):
        box.run_code("1", context=context)


def test_environment(box: Any):
    code = "import os\nos.environ.get('GIVEN'), os.environ.get('ONCE')"
    assert box.run_code(code, envs={"ONCE": "now"}).text == "('at creation', 'now')"
    assert box.run_code(code).text == "('at creation', None)"


def test_code_that_takes_too_long_is_stopped(box: Any):
    context = box.create_code_context()
    box.run_code("count = 0", context=context)
    with pytest.raises(Exception, match="[Tt]imed out|timeout"):
        box.run_code("import time\nwhile True: time.sleep(0.01)", context=context, timeout=0.5)
    # it is its turn only when the one before has been stopped
    assert box.run_code("count", context=context, timeout=20).text == "0"


def test_much_output_arrives_cut_and_not_without_end(box: Any):
    ran = box.run_code("for _ in range(300): print('x' * 65536)")
    said = "".join(ran.logs.stdout)
    assert 1 << 20 < len(said) < 8 << 20
