"""Settings: from everywhere they may stand, in the right order, with errors that say where."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from patience import PATIENCE_S

from agentrun import config
from agentrun.config import Settings, load
from agentrun.errors import ConfigError

ROOT = Path(__file__).parent.parent.parent


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder, and nothing of ours in the environment."""
    monkeypatch.chdir(tmp_path)
    for name in config.environment_names():
        if name.startswith("AGENTRUN_") or name in ("PORT", "LOG_LEVEL"):
            monkeypatch.delenv(name)
    return tmp_path


SPECIAL = {
    "prefix": "/x",
    "log_level": "debug",
    "reasoning_field": "both",
    "on_disconnect": "continue",
    "when_busy": "reject",
    "bot_id": "ibot-shop-v1",
    "fd": 7,
}


def sample(name: str, step: int = 1) -> Any:
    """A value that is not the default."""
    if name in SPECIAL:
        return SPECIAL[name]
    field = Settings.model_fields[name]
    if "list" in str(field.annotation):
        return [f"a{step}", f"b{step}"]
    if isinstance(field.default, bool):
        return not field.default
    if isinstance(field.default, (int, float)):
        return type(field.default)(field.default + step)
    return f"text{step}"


def written(value: Any) -> str:
    return ",".join(value) if isinstance(value, list) else str(value)


NAMES = list(Settings.model_fields)
# of these there are no three different values
CHOICES = [name for name in NAMES if name in SPECIAL or isinstance(Settings.model_fields[name].default, bool)]


@pytest.mark.parametrize("name", NAMES)
def test_a_setting_may_stand_anywhere(name, folder, monkeypatch):
    value = sample(name)
    assert getattr(load(), name) == Settings.model_fields[name].default
    assert getattr(load(**{name: value}), name) == value
    (folder / "agentrun.yaml").write_text(f"server:\n  {name}: {value}\n", "utf-8")
    assert getattr(load(), name) == value
    (folder / "agentrun.yaml").unlink()
    (folder / ".env").write_text(f"AGENTRUN_{name.upper()}={written(value)}\n", "utf-8")
    assert getattr(load(), name) == value
    (folder / ".env").unlink()
    monkeypatch.setenv(f"AGENTRUN_{name.upper()}", written(value))
    assert getattr(load(), name) == value


@pytest.mark.parametrize("name", [name for name in NAMES if name not in CHOICES])
def test_the_nearest_place_counts(name, folder, monkeypatch):
    variable = f"AGENTRUN_{name.upper()}"
    (folder / "agentrun.yaml").write_text(f"server:\n  {name}: {sample(name, 1)}\n", "utf-8")
    assert getattr(load(), name) == sample(name, 1)
    (folder / ".env").write_text(f"{variable}={written(sample(name, 2))}\n", "utf-8")
    assert getattr(load(), name) == sample(name, 2)
    monkeypatch.setenv(variable, written(sample(name, 3)))
    assert getattr(load(), name) == sample(name, 3)
    assert getattr(load(**{name: sample(name, 4)}), name) == sample(name, 4)
    assert getattr(load(**{name: None}), name) == sample(name, 3)


@pytest.mark.parametrize(
    ("plain", "name", "values"),
    [("PORT", "port", ["1", "2", "3", "4"]), ("LOG_LEVEL", "log_level", ["debug", "error", "trace", "warning"])],
)  # fmt: skip
def test_what_platforms_set_is_read_before_ours_in_the_same_place(plain, name, values, folder, monkeypatch):
    ours = f"AGENTRUN_{name.upper()}"
    (folder / ".env").write_text(f"{ours}={values[0]}\n", "utf-8")
    assert str(getattr(load(), name)) == values[0]
    (folder / ".env").write_text(f"{ours}={values[0]}\n{plain}={values[1]}\n", "utf-8")
    assert str(getattr(load(), name)) == values[1]
    monkeypatch.setenv(ours, values[2])
    assert str(getattr(load(), name)) == values[2]
    monkeypatch.setenv(plain, values[3])
    assert str(getattr(load(), name)) == values[3]


def test_an_empty_variable_is_as_good_as_none(folder, monkeypatch):
    (folder / "agentrun.yaml").write_text("server:\n  port: 1234\n  models:\n", "utf-8")
    for name in ("PORT", "AGENTRUN_PORT", "AGENTRUN_API_KEYS"):
        monkeypatch.setenv(name, "")
    assert load().port == 1234
    assert load().models == ["agentrun"]
    assert load().api_keys == []


def test_a_profile_wins_over_the_rest_of_its_file(folder, monkeypatch):
    (folder / "agentrun.yaml").write_text(
        "server:\n  port: 1\n  workers: 2\nprofiles:\n  prod:\n    server:\n      port: 3\n", "utf-8"
    )
    assert (load().port, load().workers) == (1, 2)
    monkeypatch.setenv("AGENTRUN_PROFILE", "prod")
    assert (load().port, load().workers) == (3, 2)


def test_a_file_may_refer_to_the_environment(folder, monkeypatch):
    (folder / "agentrun.yaml").write_text(
        "server:\n  api_keys: ['${env:KEY_A}', 'x-${env:KEY_B}']\n", "utf-8"
    )
    (folder / ".env").write_text("KEY_B=b\n", "utf-8")
    with pytest.raises(ConfigError, match=r"agentrun.yaml:2 refers to \$\{env:KEY_A\}, which is not set"):
        load()
    monkeypatch.setenv("KEY_A", "a")
    assert load().api_keys == ["a", "x-b"]


@pytest.mark.parametrize(
    ("name", "near"), [("prot", "port"), ("api_key", "api_keys"), ("max_run", "max_runs"), ("Port", "port")]
)
def test_an_unknown_setting_is_refused_with_the_nearest_one(name, near, folder):
    with pytest.raises(ConfigError) as caught:
        load(**{name: 1})
    assert caught.value.message == f"There is no setting {name!r}."
    assert caught.value.hint == f"Did you mean {near}?"
    (folder / "agentrun.yaml").write_text(f"# mine\nserver:\n  {name}: 1\n", "utf-8")
    with pytest.raises(ConfigError) as caught:
        load()
    assert caught.value.message == f"agentrun.yaml:3: there is no setting {name!r}."
    assert caught.value.hint == f"Did you mean {near}?"


def test_an_unknown_setting_like_none_is_refused_with_all():
    with pytest.raises(ConfigError, match="There are: host, port"):
        load(zzzzzz=1)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("server:\n  port: [1\n", "agentrun.yaml:3: "),
        ("server:\n\tport: 1\n", "agentrun.yaml:2: "),
        ("server:\n  port: 1\n  port: 2\n", "agentrun.yaml:3: port is there twice"),
        ("server: [1]\n", "agentrun.yaml:1: server has to be a mapping"),
        ("- 1\n", "agentrun.yaml:1: the file has to be a mapping"),
        ("profiles:\n  dev:\n    server: 7\n", "agentrun.yaml:3: profiles.dev.server has to be a mapping"),
    ],
)
def test_a_file_that_cannot_be_read_is_refused_with_its_line(text, said, folder):
    (folder / "agentrun.yaml").write_text(text, "utf-8")
    with pytest.raises(ConfigError) as caught:
        load()
    assert caught.value.message.startswith(said)


@pytest.mark.parametrize("text", ["", "# nothing\n", "server:\n", "models: {}\n"])
def test_a_file_may_say_nothing(text, folder):
    (folder / "agentrun.yaml").write_text(text, "utf-8")
    assert load() == Settings()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("port", "abc"),
        ("port", 65536),
        ("port", -1),
        ("workers", 0),
        ("max_body_bytes", 0),
        ("heartbeat_s", 0),
        ("kept_s", -1),
        ("idle_timeout_s", "soon"),
        ("log_level", "loud"),
        ("on_disconnect", "maybe"),
        ("reasoning_field", "nowhere"),
        ("debug", "perhaps"),
        ("fd", -1),
    ],
)
def test_a_value_that_cannot_be_is_refused_with_its_place(name, value, folder, monkeypatch):
    def refused(**arguments: Any) -> str:
        with pytest.raises(ConfigError) as caught:
            load(**arguments)
        assert f"The setting {name} is {caught.value.message.split()[4]}" in caught.value.message
        assert str(value) in caught.value.message
        assert f"AGENTRUN_{name.upper()}" in (caught.value.hint or "")
        return caught.value.message

    (folder / "agentrun.yaml").write_text(f"server:\n  {name}: {value}\n", "utf-8")
    assert "(agentrun.yaml:2)" in refused()
    (folder / ".env").write_text(f"AGENTRUN_{name.upper()}={value}\n", "utf-8")
    assert f"(AGENTRUN_{name.upper()} in .env)" in refused()
    monkeypatch.setenv(f"AGENTRUN_{name.upper()}", str(value))
    assert f"(AGENTRUN_{name.upper()} in the environment)" in refused()
    assert f"(the argument {name}=)" in refused(**{name: value})


def test_a_bad_port_of_the_platform_is_named(monkeypatch):
    monkeypatch.setenv("PORT", "http")
    with pytest.raises(ConfigError, match=r"The setting port is 'http' \(PORT in the environment\)"):
        load()


@pytest.mark.parametrize("name", ["api_keys", "ssl_keyfile_password"])
def test_secrets_are_not_shown(name):
    assert "s3cret" not in repr(load(**{name: "s3cret"}))
    with pytest.raises(ConfigError) as caught:
        load(**{name: {"s3cret": 1}})
    assert "s3cret" not in str(caught.value)


@pytest.mark.parametrize(
    ("said", "path"), [("v1", "/v1"), ("/v1/", "/v1"), ("/", ""), ("", ""), ("/a/b", "/a/b")]
)
def test_a_prefix_is_a_path(said, path):
    assert load(prefix=said).prefix == path


@pytest.mark.parametrize(
    ("host", "public"),
    [
        ("127.0.0.1", False),
        ("127.1.2.3", False),
        ("::1", False),
        ("localhost", False),
        ("0.0.0.0", True),
        ("::", True),
        ("192.168.1.1", True),
        ("example.com", True),
    ],
)
def test_others_can_reach_a_public_address_only(host, public):
    assert load(host=host).is_public is public
    assert load(host=host, uds="/tmp/x").is_public is False


def test_a_public_address_needs_keys_or_somebodys_word():
    with pytest.raises(ConfigError, match=r"0.0.0.0 without API keys"):
        config.refuse_open_door(load(host="0.0.0.0"))
    config.refuse_open_door(load(host="0.0.0.0", api_keys="k"))
    config.refuse_open_door(load(host="0.0.0.0", allow_anonymous=True))
    config.refuse_open_door(load())


def test_settings_cannot_be_changed():
    settings = load()
    with pytest.raises(ValueError, match="frozen"):
        settings.port = 1


def test_the_documented_table_is_up_to_date():
    run = subprocess.run(
        [sys.executable, "scripts/configuration", "--check"],
        cwd=ROOT,
        capture_output=True,
        encoding="utf-8",
        timeout=PATIENCE_S,
    )
    assert run.returncode == 0, run.stderr


def test_every_setting_has_a_meaning():
    assert all(field.description for field in Settings.model_fields.values())
