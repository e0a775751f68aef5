"""`agentrun doctor`: true, complete, and silent about secrets."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable
from pathlib import Path

import pytest
from patience import PATIENCE_S

from agentrun.cli import checks

Agentrun = Callable[..., tuple[int, str, str]]


@pytest.fixture(autouse=True)
def _in_an_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PORT", "0")


def _checks(out: str) -> dict[str, dict[str, str]]:
    return {check["name"]: check for check in json.loads(out)["checks"]}


def test_here_nothing_needed_is_missing(agentrun: Agentrun):
    exit_code, out, _ = agentrun("doctor", "--json")
    assert exit_code == 0
    assert json.loads(out)["ok"] is True
    found = _checks(out)
    assert {
        "python",
        "agentrun",
        "app",
        "keys",
        "uv",
        "node",
        "git",
        "isolation",
        "bwrap",
        "chromium",
    } <= set(found)
    assert [check for check in found.values() if check["state"] != "ok" and not check["fix"]] == []


def test_extras_come_from_the_package_s_own_metadata(agentrun: Agentrun):
    _, out, _ = agentrun("doctor", "--json")
    extras = {check["name"] for check in _checks(out).values() if check["topic"] == "extras"}
    assert {"langchain", "langgraph", "openai-agents"} <= extras
    assert "dev" not in extras


def test_keys_are_shown_by_name_never_by_value(agentrun: Agentrun, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("OPENAI_API_KEY", "very-secret")
    Path(".env").write_text("DEEPSEEK_API_KEY=also-secret\n", encoding="utf-8")
    for arguments in (["doctor"], ["doctor", "--json"]):
        _, out, err = agentrun(*arguments)
        assert "OPENAI_API_KEY" in out and "DEEPSEEK_API_KEY" in out
        assert "secret" not in out + err


def test_a_setting_that_cannot_be_is_what_is_missing(agentrun: Agentrun, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("AGENTRUN_MAX_RUNS", "many")
    exit_code, out, _ = agentrun("doctor", "--json")
    assert exit_code == 1
    assert "AGENTRUN_MAX_RUNS" in _checks(out)["settings"]["fix"]


def test_it_tells_a_free_port_an_agent_and_a_stranger_apart(
    agentrun: Agentrun, serve: Callable[..., str], monkeypatch: pytest.MonkeyPatch
):
    with socket.socket() as stranger:
        stranger.bind(("127.0.0.1", 0))  # and listens later, so that nobody else is given the port
        port = stranger.getsockname()[1]
        monkeypatch.setenv("PORT", str(port))
        _, out, _ = agentrun("doctor", "--json")
        assert _checks(out)[f"port {port}"]["found"] == "free"
        stranger.listen()
        monkeypatch.setattr(checks, "_PATIENCE_S", 0.1)
        _, out, _ = agentrun("doctor", "--json")
        assert _checks(out)[f"port {port}"]["state"] == "absent"
    monkeypatch.setattr(checks, "_PATIENCE_S", PATIENCE_S)
    url = serve(lambda request: "hi")
    monkeypatch.setenv("PORT", url.rpartition(":")[2])
    _, out, _ = agentrun("doctor")
    assert f"an agent is served at {url}" in out


def test_the_default_model_is_named_with_the_reason(
    agentrun: Agentrun, project: Path, monkeypatch: pytest.MonkeyPatch
):
    _, out, _ = agentrun("doctor", "--json")
    default = _checks(out)["default"]
    assert default["state"] == "absent" and "is builtin, which is no language model" in default["found"]
    for missed in ("AGENTRUN_MODEL is not set", "no provider's key is set", "no model server runs"):
        assert missed in default["fix"]
    monkeypatch.setenv("DEEPSEEK_API_KEY", "very-secret")
    _, out, _ = agentrun("doctor", "--json")
    default = _checks(out)["default"]
    assert default["state"] == "ok" and "(DEEPSEEK_API_KEY is set)" in default["found"]
    assert "USD per million tokens: 0.28 in, 0.42 out" in default["found"]
    assert "no provider's key" not in default["fix"] and "very-secret" not in out


def test_every_configured_name_is_explained(
    agentrun: Agentrun, project: Path, monkeypatch: pytest.MonkeyPatch
):
    (project / "agentrun.yaml").write_text(
        "default_model: safe\n"
        "models:\n"
        "  mine: {base_url: http://127.0.0.1:9/v1, model: m}\n"
        "  broken: deepseek/deepseek-chat\n"
        "  safe: {proxy: [mine, builtin]}\n"
        "tools:\n"
        "  plain: {functions: [json:dumps]}\n",
        encoding="utf-8",
    )
    exit_code, out, _ = agentrun("doctor", "--json")
    found = _checks(out)
    assert "is fallback over mine, builtin (agentrun.yaml:1" in found["default"]["found"]
    assert "Its price is not known" in found["mine"]["found"]
    assert found["broken"]["state"] == "missing" and "DEEPSEEK_API_KEY" in found["broken"]["fix"]
    assert found["plain"]["topic"] == "toolsets" and exit_code == 1
    (project / "agentrun.yaml").write_text("modles: {}\n", encoding="utf-8")
    exit_code, out, _ = agentrun("doctor", "--json")
    assert exit_code == 1 and "there is no section modles" in out


def test_in_production_nothing_stands_in(agentrun: Agentrun, project: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("AGENTRUN_PROFILE", "prod")
    exit_code, out, _ = agentrun("doctor", "--json")
    assert (_checks(out)["default"]["state"], exit_code) == ("missing", 1)
