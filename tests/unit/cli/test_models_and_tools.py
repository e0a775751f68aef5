"""`agentrun models` and `agentrun tools`: what they print, and what they exit with."""

import json
import sys
from pathlib import Path

import pytest
from fake_upstream import FakeUpstream, failed

from agentrun.cli.app import run


@pytest.fixture(autouse=True)
def configured(project: Path, upstream: FakeUpstream, monkeypatch: pytest.MonkeyPatch) -> None:
    (project / "agentrun.yaml").write_text(
        "default_model: m\n"
        "models:\n"
        f"  m: {{base_url: '{upstream.url}', model: x, price: {{input: 1, output: 2}}, retries: 0}}\n"
        "  keyless: openai/gpt-5\n"
        "tools:\n"
        "  t: {functions: functions_of_a_test:add}\n"
    )
    (project / "functions_of_a_test.py").write_text(
        "def add(a: int, b: int) -> int:\n    'Add two numbers.\\n\\nAnd no more.'\n    return a + b\n"
    )
    monkeypatch.setattr(sys, "path", [*sys.path])


def test_models_are_listed_with_what_is_wrong_with_them(
    upstream: FakeUpstream, capsys: pytest.CaptureFixture[str]
):
    assert run(["models", "list"]) == 0
    default, keyless, named = capsys.readouterr().out.splitlines()
    assert default == f'Model "default" is x at {upstream.url} (agentrun.yaml:1, agentrun.yaml:3).'
    assert keyless.startswith('"keyless" is a model of openai, whose key is not set.')
    assert named == f'Model "m" is x at {upstream.url} (agentrun.yaml:3).'
    assert run(["models", "list", "--json"]) == 0
    assert [entry["name"] for entry in json.loads(capsys.readouterr().out)["models"]] == [
        "default",
        "keyless",
        "m",
    ]


def test_a_model_is_asked(upstream: FakeUpstream, capsys: pytest.CaptureFixture[str]):
    assert run(["models", "test", "m", "--ask", "hi"]) == 0
    said = capsys.readouterr()
    assert said.out == "hello\n"
    assert "7 + 2 tokens, 0.000011 USD" in said.err
    assert upstream.asked[0]["messages"] == [{"role": "user", "content": "hi"}]


def test_a_model_that_fails_says_so(upstream: FakeUpstream, capsys: pytest.CaptureFixture[str]):
    upstream.then = failed(500)
    assert run(["models", "test", "--json"]) == 1
    assert json.loads(capsys.readouterr().out)["error"]["code"] == "model_error"


def test_toolsets_are_listed_opened_and_called(capsys: pytest.CaptureFixture[str]):
    assert run(["tools", "list"]) == 0
    assert capsys.readouterr().out == "t  agentrun.yaml:6\n"
    assert run(["tools", "list", "t"]) == 0
    assert capsys.readouterr().out == "add(a, b)  Add two numbers.\n"
    assert run(["tools", "call", "t", "add", "a=1", "b=2"]) == 0
    assert capsys.readouterr().out == "3\n"
    assert run(["tools", "call", "t", "add", '{"a": 1, "b": 3}', "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["output"] == "4"


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["t", "add", "a=x", "b=1"], 1, "a: Input should be a valid integer"),
        (["t", "add", "a"], 2, "'a' is no argument. Write name=value."),
        (["t", "add", "{"], 2, "The arguments are no JSON"),
        (["t", "sub"], 2, '"t" has no tool sub. There are: add.'),
        (["tt", "add"], 2, 'There is no toolset "tt"; there are: t. Did you mean t?'),
    ],
)
def test_a_wrong_call_is_answered(
    arguments: list[str], code: int, message: str, capsys: pytest.CaptureFixture[str]
):
    assert run(["tools", "call", *arguments]) == code
    assert message in capsys.readouterr().err
