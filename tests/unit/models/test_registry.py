"""From a name to a model: where it is looked for, in which order, and what a mistake is answered with."""

import logging
from pathlib import Path

import pytest
from fake_upstream import FakeUpstream
from patience import PATIENCE_S

from agentrun.errors import ConfigError
from agentrun.models import local, names, registry, resolve


def write(project: Path, text: str) -> None:
    (project / "agentrun.yaml").write_text(text, encoding="utf-8")


@pytest.fixture(autouse=True)
def no_local_server(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(local, "find_again", lambda: None)


def test_with_nothing_configured_there_is_builtin(caplog: pytest.LogCaptureFixture):
    with caplog.at_level(logging.INFO, "agentrun.models"):
        assert resolve().is_builtin
        model = resolve("my-model")
        assert model.is_builtin and not caplog.records
        for _ in range(2):
            model.client.chat.completions.create(model=model.id, messages=[{"role": "user", "content": "hi"}])
    assert 'Model "my-model" is builtin, which is no language model (nothing is configured' in caplog.text
    assert [record.levelno for record in caplog.records] == [logging.WARNING]


def test_in_production_nothing_stands_in(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("AGENTRUN_PROFILE", "prod")
    with pytest.raises(ConfigError, match='There is no model "my-model"'):
        resolve("my-model")
    with pytest.raises(ConfigError, match='There is no model "default"'):
        resolve()
    assert resolve("builtin").is_builtin


def test_where_something_is_configured_nothing_stands_in(project: Path, monkeypatch: pytest.MonkeyPatch):
    write(project, "models:\n  mine: ollama/qwen3\n")
    with pytest.raises(
        ConfigError, match=r'no model "main"; there are: mine\.(.|\n)*Did you mean mine\?'
    ) as caught:
        resolve("main")
    assert "models:\n  main:\n    provider:" in (caught.value.hint or "")
    write(project, "")
    monkeypatch.setenv("DEEPSEEK_API_KEY", "k")
    with pytest.raises(ConfigError, match="none is configured"):
        resolve("my-model")


def test_the_order_is_argument_environment_project_user(project: Path, monkeypatch: pytest.MonkeyPatch):
    user = Path.home() / ".agentrun"
    user.mkdir()
    (user / "config.yaml").write_text("models:\n  m: ollama/user\n  only-user: ollama/u\n", encoding="utf-8")
    assert (resolve("m").id, resolve("m").source) == ("user", "~/.agentrun/config.yaml:2")
    write(project, "models:\n  m: ollama/project\n")
    assert (resolve("m").id, resolve("m").source) == ("project", "agentrun.yaml:2")
    assert resolve("only-user").id == "u"
    monkeypatch.setenv("AGENTRUN_MODEL_M", "ollama/environment")
    assert (resolve("m").id, resolve("m").source) == ("environment", "environment AGENTRUN_MODEL_M")
    assert resolve("m", model="argument").id == "argument"
    assert resolve("m", model="argument").base_url == "http://127.0.0.1:11434/v1"


def test_the_platform_s_names_are_found_after_all_others(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    names = tmp_path / "names.yaml"
    names.write_text("models:\n  m: ollama/platform\n  theirs: ollama/p\n", encoding="utf-8")
    monkeypatch.setenv("AGENTRUN_PLATFORM_NAMES", str(names))
    assert (resolve("m").id, resolve("m").source) == ("platform", "the platform's agentrun.yaml:2")
    write(project, "models:\n  m: ollama/project\n")
    assert (resolve("m").id, resolve("theirs").id) == ("project", "p")
    names.unlink()
    with pytest.raises(ConfigError, match='no model "theirs"'):
        resolve("theirs")


def test_dotenv_is_part_of_the_environment(project: Path):
    (project / ".env").write_text("AGENTRUN_MODEL_MY_MODEL=ollama/from-dotenv\n", encoding="utf-8")
    assert resolve("my-model").id == "from-dotenv"
    (project / ".env").write_text("AGENTRUN_MODEL_MY_MODEL=ollama/changed\n", encoding="utf-8")
    assert resolve("my-model").id == "changed"


def test_the_environment_may_say_it_in_json(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("AGENTRUN_MODEL_M", '{"base_url": "http://h/v1", "model": "x"}')
    assert resolve("m").base_url == "http://h/v1"
    monkeypatch.setenv("AGENTRUN_MODEL_M", '{"base_ulr": "http://h/v1"}')
    with pytest.raises(ConfigError, match="AGENTRUN_MODEL_M: .* no key base_ulr. Did you mean base_url?"):
        resolve("m")


def test_the_default_is_a_name(project: Path, monkeypatch: pytest.MonkeyPatch):
    write(project, "default_model: fast\nmodels:\n  fast: ollama/qwen3\n")
    assert (resolve().id, resolve().source) == ("qwen3", "agentrun.yaml:1, agentrun.yaml:3")
    monkeypatch.setenv("AGENTRUN_MODEL", "builtin")
    assert resolve().is_builtin


def test_a_key_in_the_environment_makes_its_provider_the_default(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("DEEPSEEK_API_KEY", "k")
    model = resolve()
    assert (model.id, model.base_url) == ("deepseek-chat", "https://api.deepseek.com/v1")
    assert model.source == "DEEPSEEK_API_KEY is set"


def test_a_provider_and_its_model_are_a_name(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("DASHSCOPE_API_KEY", "k")
    assert resolve("qwen/qwen-max").base_url.startswith("https://dashscope")
    with pytest.raises(ConfigError, match=r"whose key is not set. Put OPENAI_API_KEY=\.\.\. into \.env"):
        resolve("openai/gpt-5")


def test_a_local_server_is_found(upstream: FakeUpstream, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.undo()
    monkeypatch.setattr(local, "_PATIENCE_S", PATIENCE_S)
    addresses = {"nothing": "http://127.0.0.1:9/v1", "vllm": upstream.url}
    found = local.find(addresses)
    assert found is not None and (found.provider, found.model) == ("vllm", "served-model")


def test_local_servers_are_not_looked_for_at_every_turn(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.undo()
    asked: list[int] = []
    monkeypatch.setattr(local, "_found", None)
    monkeypatch.setattr(local, "find", lambda: asked.append(1))
    local.find_again()
    local.find_again()
    assert len(asked) == 1


def test_a_local_server_is_the_default(upstream: FakeUpstream, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(local, "find_again", lambda: local.Local("vllm", upstream.url, "served-model"))
    assert (resolve().id, resolve().source) == ("served-model", "vllm runs on this machine")


def test_profiles_change_what_they_name(project: Path, monkeypatch: pytest.MonkeyPatch):
    write(
        project,
        "models:\n  m:\n    provider: ollama\n    model: small\n    retries: 5\n"
        "profiles:\n  prod:\n    models:\n      m:\n        model: large\n",
    )
    assert resolve("m").id == "small"
    monkeypatch.setenv("AGENTRUN_PROFILE", "prod")
    assert (resolve("m").id, resolve("m").spec.retries) == ("large", 5)


def test_references_are_looked_up_when_the_model_is_wanted(project: Path, monkeypatch: pytest.MonkeyPatch):
    write(project, "models:\n  m:\n    base_url: ${env:MY_URL}\n    api_key: ${env:MY_KEY}\n")
    assert list(names()) == ["m"]
    with pytest.raises(ConfigError, match=r"agentrun.yaml:3 refers to \${env:MY_URL}, which is not set"):
        resolve("m")
    monkeypatch.setenv("MY_URL", "http://h/v1")
    monkeypatch.setenv("MY_KEY", "s3cret")
    model = resolve("m")
    assert model.base_url == "http://h/v1" and "s3cret" not in repr(model.spec)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("model:\n  m: ollama/x\n", "agentrun.yaml:1: there is no section model. Did you mean models?"),
        (
            "models:\n  m:\n    provder: ollama\n",
            'agentrun.yaml:3: "m" has no key provder. Did you mean provider?',
        ),
        (
            "models:\n  m:\n    provider: olama\n",
            "agentrun.yaml:2: \"m\" is wrong: there is no provider 'olama'",
        ),
        (
            "models:\n  m:\n    provider: ollama\n\n    retries: many\n",
            'agentrun.yaml:5: "m": retries is wrong',
        ),
        ("models:\n  m: {}\n", 'agentrun.yaml:2: "m" is wrong: it needs a provider, a base_url or a proxy'),
        ("models:\n  m:\n    proxy: [a]\n    model: x\n", "a proxy has no model; its models have"),
        ("models:\n  m:\n    proxy:\n      - a\n      - wight: 3\n        model: b\n", "agentrun.yaml:5: "),
        ("models:\n  m: ollama/x\n  m: ollama/y\n", "agentrun.yaml:3: m is there twice"),
        ("models:\n  m: [\n", "agentrun.yaml:"),
        ("models:\n  - m\n", "agentrun.yaml:1: models has to be a mapping of names"),
        ("models:\n  m:\n    proxy: [nobody]\n", 'There is no model "nobody" that "m" stands before'),
        ("models:\n  m:\n    provider: azure\n    model: x\n    api_key: ${env:HOME}\n", "needs a base_url"),
        (
            "models:\n  m:\n    provider: openai\n    api_key: sk-123\n",
            'agentrun.yaml:4: the api_key of "m" is written',
        ),
        ("models:\n  m:\n    base_url: http://h\n    max_usd_per_day: 1\n", "what m costs is not known"),
    ],
)
def test_a_mistake_is_answered_with_its_place(project: Path, text: str, message: str):
    write(project, text)
    with pytest.raises(ConfigError) as caught:
        resolve("m")
    assert message in str(caught.value)


def test_a_mistake_in_another_model_does_not_matter(project: Path):
    write(project, "models:\n  m: ollama/x\n  broken:\n    provder: y\n")
    assert resolve("m").id == "x"


def test_the_same_name_is_the_same_model(project: Path):
    write(project, "models:\n  m: ollama/x\n")
    assert resolve("m") is resolve("m")
    assert resolve(resolve("m")) is resolve("m")


def test_a_proxy_shares_the_limits_of_its_models(project: Path):
    write(project, "models:\n  a: ollama/x\n  p:\n    proxy: [a]\n")
    assert resolve("p").meters[0] is resolve("a").meters[0]


def test_an_argument_that_does_not_exist_is_refused():
    with pytest.raises(ConfigError, match="Did you mean timeout_s?"):
        resolve("builtin", timeout=3)


def test_names_say_where_they_come_from(project: Path, monkeypatch: pytest.MonkeyPatch):
    write(project, "models:\n  m: ollama/x\n")
    monkeypatch.setenv("AGENTRUN_MODEL_BIG_ONE", "ollama/y")
    assert names() == {"m": "agentrun.yaml:2", "big-one": "environment AGENTRUN_MODEL_BIG_ONE"}
    assert registry.resolve("big-one").id == "y"
