"""Commands of the platform that need none: named accesses, s.yaml checked and shown, times, what is printed how."""

from __future__ import annotations

import json
import stat
from collections.abc import Callable
from pathlib import Path

import pytest
from patience import until

from agentrun.cli.platform import reach, show
from agentrun.cli.platform.logs import moment
from agentrun.errors import ConfigError
from agentrun.platform.home import home, is_held

Agentrun = Callable[..., tuple[int, str, str]]
S_YAML = """
resources:
  r:
    component: agentrun
    props:
      agent:
        name: shop
        code: {src: ./code, language: python3.12, command: [python3, app.py]}
        role: admin
        environmentVariables: {TOKEN: "${env(MY_TOKEN)}"}
"""


def test_accesses_are_named_listed_and_kept_from_others(agentrun: Agentrun, project: Path):
    assert agentrun("config", "add", "prod", "--url", "https://p.example", "--key", "ark_0123456789")[0] == 0
    file = Path.home() / ".agentrun" / "access.json"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    _, out, _ = agentrun("config", "list", "--json")
    assert json.loads(out)[-1] == {"name": "prod", "url": "https://p.example", "key": "ark_0123…"}
    assert "0123456789" not in agentrun("config", "get", "prod")[1]
    assert agentrun("config", "remove", "prod")[0] == 0
    code, _, err = agentrun("config", "get", "prod")
    assert (code, "agentrun config add prod" in err) == (2, True)
    assert agentrun("config", "add", "x", "--url", "p.example")[0] == 2


def test_a_file_of_accesses_that_is_none_is_told(agentrun: Agentrun, project: Path):
    file = Path.home() / ".agentrun" / "access.json"
    file.parent.mkdir()
    file.write_text("{")
    code, _, err = agentrun("config", "list")
    assert (code, "cannot be read" in err) == (2, True)


def test_s_yaml_is_checked_and_shown_without_a_platform(
    agentrun: Agentrun, project: Path, monkeypatch: pytest.MonkeyPatch
):
    (project / "s.yaml").write_text(S_YAML, "utf-8")
    code, _, err = agentrun("config", "validate")
    assert (code, "s.yaml:10 refers to ${env(MY_TOKEN)}" in err) == (2, True)
    monkeypatch.setenv("MY_TOKEN", "hush")
    code, out, err = agentrun("config", "validate", "--json")
    assert (code, json.loads(out)["valid"]) == (0, True)
    assert "s.yaml:9: role is of a cloud" in err
    _, out, _ = agentrun("config", "show", "--json")
    shown = json.loads(out)["resources"]["r"]
    assert (shown["memory"], shown["environmentVariables"]) == (2048, {"TOKEN": "***"})
    assert agentrun("config", "validate", "-t", "none.yaml")[0] == 2


@pytest.mark.parametrize("command", ["info", "deploy", "build", "remove"])
def test_without_a_file_a_command_says_what_to_do(agentrun: Agentrun, project: Path, command: str):
    code, _, err = agentrun(command)
    assert (code, "There is no s.yaml here" in err) == (2, True)


def test_status_of_a_platform_that_does_not_run(agentrun: Agentrun, project: Path):
    code, _, err = agentrun("platform", "status")
    assert (code, "agentrun platform start" in err) == (3, True)
    assert agentrun("platform", "stop")[0] == 0


def test_a_stop_that_takes_too_long_is_not_said_to_be_one(
    agentrun: Agentrun, project: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("AGENTRUN_GATEWAY", "127.0.0.1:0")
    assert agentrun("platform", "start")[0] == 0
    monkeypatch.setattr(reach, "_STOP_S", -1)
    monkeypatch.setattr(reach, "is_held", lambda where: True)  # it may have stopped before it is looked at
    code, out, err = agentrun("platform", "stop")
    assert (code, "told to stop and has not yet" in err, "It has stopped" in out + err) == (3, True, False)
    until(lambda: not is_held(home()))


def test_a_key_s_scopes_are_known_ones(agentrun: Agentrun, project: Path):
    code, _, err = agentrun("keys", "create", "k", "--scope", "everything")
    assert (code, "read, deploy, invoke, exec" in err) == (2, True)


@pytest.mark.parametrize("text", ["2026-01-31 12:00:00", "2026-01-31T12:00:00", "2026-01-31"])
def test_a_time_is_of_here(text: str):
    from datetime import datetime

    assert moment(text, "-s") == datetime.fromisoformat(text).timestamp()


def test_a_time_with_a_zone_and_what_is_none():
    assert moment("2026-01-31T12:00:00Z", "-s") == 1769860800
    assert moment(None, "-s") is None
    with pytest.raises(ConfigError, match="-s 'noon' is no time"):
        moment("noon", "-s")


def test_what_people_read(capsys: pytest.CaptureFixture[str]):
    value = {"id": "x", "longer": 1, "list": [{"a": 1, "b": {"c": True}}, 2], "none": None, "empty": {}}
    show.answer(value, as_json=False, name="agent")
    assert capsys.readouterr().out == (
        "agent:\n  id:     x\n  longer: 1\n  list:\n    - a: 1\n      b:\n        c: true\n    - 2\n"
    )


def test_a_table_leaves_out_what_nothing_has(capsys: pytest.CaptureFixture[str]):
    show.listing(
        [{"a": "1", "b": "", "c": "x"}, {"a": "[2]", "b": "", "c": "y"}],
        as_json=False,
        empty="none",
        without=["c"],
    )
    out = capsys.readouterr().out.split()
    assert (out[0], out[-2:]) == ("a", ["1", "[2]"])
    show.listing([], as_json=False, empty="none")
    assert capsys.readouterr() == ("", "none\n")
