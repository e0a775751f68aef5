"""What all commands share: help, version, one-line errors, exit codes."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from patience import PATIENCE_S

import agentrun as package
from agentrun.cli.app import COMMANDS
from agentrun.cli.failure import EXIT_CODES

Agentrun = Callable[..., tuple[int, str, str]]


def test_help_names_every_command_and_every_exit_code(agentrun: Agentrun):
    exit_code, out, _ = agentrun("--help")
    assert exit_code == 0
    assert [name for name in COMMANDS if name not in out] == []
    assert [code for code in EXIT_CODES if f"{code} " not in out] == []


def test_no_command_shows_the_help(agentrun: Agentrun):
    assert agentrun() == agentrun("--help")


@pytest.mark.parametrize("name", COMMANDS)
def test_each_command_explains_itself_and_speaks_json(agentrun: Agentrun, name: str):
    exit_code, out, _ = agentrun(name, "--help")
    assert exit_code == 0
    assert "--json" in out


def test_help_loads_no_command_and_nothing_heavy():
    script = "import json, sys\nfrom agentrun.cli.app import run\nrun(['--help'])\nprint(json.dumps(list(sys.modules)))"
    told = subprocess.run([sys.executable, "-c", script], capture_output=True, encoding="utf-8", check=True)
    loaded = set(json.loads(told.stdout.splitlines()[-1]))
    commands = {f"agentrun.cli.{name}" for name in COMMANDS}
    assert (
        loaded & (commands | {"agentrun.server", "fastapi", "httpx", "openai", "pydantic", "uvicorn"})
        == set()
    )


def test_version_is_the_package_s(agentrun: Agentrun):
    assert agentrun("--version") == (0, f"agentrun {package.__version__}\n", "")


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["devv"], "Error: There is no command 'devv'. Did you mean dev?\n"),
        (["zzz"], f"Error: There is no command 'zzz'. There are: {', '.join(COMMANDS)}.\n"),
        (["invoke"], "Error: Missing argument 'question...'. See: agentrun --help\n"),
        (["init", "--template", "x"], "Error: There is no template 'x'. There are: "),
    ],
)
def test_a_mistake_is_one_line_with_a_hint_and_exit_code_2(
    agentrun: Agentrun, arguments: list[str], line: str
):
    exit_code, out, err = agentrun(*arguments)
    assert (exit_code, out) == (2, "")
    assert err.startswith(line[:20]) and line.strip()[-20:] in err
    assert err.count("\n") == 1


def test_an_error_as_json_has_the_shape_of_every_error(agentrun: Agentrun):
    exit_code, out, err = agentrun("init", "--template", "x", "--json")
    error = json.loads(out)["error"]
    assert exit_code == 2
    assert error["code"] == "config_error"
    assert set(error) == {"code", "message", "hint", "run_id"}
    assert error["message"] in err


def test_a_traceback_is_shown_only_when_asked_for(agentrun: Agentrun, tmp_path: Path):
    taken = tmp_path / "file"
    taken.write_text("")
    exit_code, _, err = agentrun("init", str(taken))
    assert exit_code == 1
    assert "Traceback" not in err and err.count("\n") == 1
    _, _, err = agentrun("--debug", "init", str(taken))
    assert "Traceback" in err


def test_a_reader_that_left_is_no_traceback():
    command = [str(Path(sys.executable).parent / "agentrun"), "init", "--list"]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, encoding="utf-8"
    ) as process:
        assert process.stdout is not None and process.stderr is not None
        process.stdout.close()
        assert process.stderr.read() == ""
        assert process.wait(PATIENCE_S) in (0, 1)


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_each_shell_gets_its_completion(shell: str):
    command = [str(Path(sys.executable).parent / "agentrun")]
    variable = {"_AGENTRUN_COMPLETE": f"complete_{shell}", "_TYPER_COMPLETE_ARGS": "agentrun in"}
    variable |= {"COMP_WORDS": "agentrun in", "COMP_CWORD": "1", "_TYPER_COMPLETE_FISH_ACTION": "get-args"}
    told = subprocess.run(command, capture_output=True, encoding="utf-8", env=variable, timeout=PATIENCE_S)
    assert "init" in told.stdout
    assert "invoke" in told.stdout
