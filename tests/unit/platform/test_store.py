"""One contract, every database: what is said in a transaction is kept wholly or not at all."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from pathlib import Path

import private_postgres
import pytest

from agentrun.errors import ConfigError, NotFound
from agentrun.platform.store import Audit, Store, open_store
from agentrun.resources import (
    Definition,
    DeployLog,
    Endpoint,
    Key,
    Rollout,
    Runtime,
    SecretRef,
    Step,
    Version,
)

SHOP = Runtime("shop", "id-1", 1.0, 1.0, description="Sells “things”", reserved_concurrency=3)
DEFINITION = Definition(command=("python3", "app.py"), variables={"A": "b ? %s"}, masked=("A",))
ONE = Version("shop", 1, "d1", 2.0, DEFINITION)
PRODUCTION = Endpoint("shop", "production", "ep-1", 1.0, 1.0)


class Broken(Exception):
    """Something went wrong in the middle."""


def fill(store: Store) -> None:
    with store.transaction() as records:
        records.put_runtime(SHOP)
        records.add_version(ONE)
        records.put_endpoint(PRODUCTION)


def test_what_was_said_is_there_after_a_restart(open_again: Callable[[], Store]):
    fill(open_again())
    with open_again().transaction() as records:
        assert records.runtimes() == [SHOP]
        assert records.runtime("shop") == SHOP
        assert records.versions() == records.versions("shop") == [ONE]
        assert records.find_version("shop", 1) == records.latest("shop") == ONE
        assert records.endpoints() == records.endpoints("shop") == [PRODUCTION]
        assert records.latest("other") is records.find_version("shop", 2) is None


def test_an_exception_undoes_all_of_a_transaction(store: Store):
    with pytest.raises(Broken), store.transaction() as records:
        records.put_runtime(SHOP)
        raise Broken
    with store.transaction() as records:
        assert records.runtimes() == []


def test_an_unknown_runtime_says_which_there_are(store: Store):
    with store.transaction() as records:
        with pytest.raises(NotFound, match='no runtime "x". Run: agentrun deploy'):
            records.runtime("x")
        records.put_runtime(SHOP)
        with pytest.raises(NotFound, match="There are: shop."):
            records.runtime("x")


def test_a_version_is_written_once(store: Store):
    fill(store)
    with pytest.raises(Exception, match="(?i)unique"), store.transaction() as records:
        records.add_version(Version("shop", 1, "other", 3.0, DEFINITION))
    with store.transaction() as records:
        records.label_version("shop", 1, "First", 5.0)
    with store.transaction() as records:
        found = records.latest("shop")
        assert found is not None
        assert (found.description, found.published_at) == ("First", 5.0)
        assert found.definition == DEFINITION


def test_to_remove_a_runtime_removes_what_is_its_own(store: Store):
    fill(store)
    with store.transaction() as records:
        records.put_rollout(Rollout("shop", "r1", 1, 1, steps=(Step("start", "me", 1.0),)))
        records.remove_runtime("shop")
        assert records.runtimes() == records.versions() == records.endpoints() == []
        assert records.rollout("shop") is None


def test_a_runtime_has_one_running_rollout_at_most(store: Store):
    fill(store)
    first = Rollout("shop", "r1", 1, 1, steps=(Step("start", "me", 1.0),))
    with store.transaction() as records:
        records.put_rollout(first)
        assert records.running_rollouts() == [first]
    second = Rollout("shop", "r2", 1, 1, steps=(Step("start", "me", 2.0),))
    with pytest.raises(Exception, match="(?i)unique"), store.transaction() as records:
        records.put_rollout(second)
    with store.transaction() as records:
        records.put_rollout(Rollout("shop", "r1", 1, 1, "finalized", steps=first.steps))
        records.put_rollout(second)
        assert records.running_rollouts() == [second]
        assert records.rollout("shop") == second


def test_secrets_are_counted_and_old_ones_stay_known_by_their_number(store: Store):
    with store.transaction() as records:
        assert records.add_secret("A", 1.0) == SecretRef("A", 1)
        assert records.add_secret("A", 2.0) == SecretRef("A", 2)
        assert records.secrets() == {"A": (2, 2.0)}
        records.retire_secret("A")
        assert records.secrets() == {}
        assert records.add_secret("A", 3.0) == SecretRef("A", 3)


def test_keys_and_settings_and_audits(store: Store):
    key = Key("k1", "ci", ("read", "deploy"), 1.0)
    with store.transaction() as records:
        records.put_key("hash", key)
        assert records.keys() == [("hash", key)]
        records.remove_key("k1")
        assert records.keys() == []
        records.set_setting("port", "1")
        records.set_setting("port", "2")
        assert (records.setting("port"), records.setting("none")) == ("2", None)
        for at in (1.0, 2.0, 3.0):
            records.note(Audit(at, "exec", "c-1", "me", "ls"))
        assert [audit.at for audit in records.audits(2)] == [3.0, 2.0]


def test_what_deploys_said_is_kept_the_newest_first_and_not_for_ever(store: Store):
    def log(runtime: str, line: str) -> DeployLog:
        return DeployLog(runtime, "now", "me", (line,))

    with store.transaction() as records:
        records.put_runtime(SHOP)
        numbers = [records.add_deploy_log(log("shop", f"line {at}")) for at in range(510)]
        assert records.add_deploy_log(log("other", "its own")) == numbers[-1] + 1
        found = records.deploy_logs("shop", 1000)
        assert [one.number for one in found] == numbers[:10:-1]
        assert records.deploy_logs("shop", 1)[0].lines == ("line 509",)
        records.remove_runtime("shop")
        assert records.deploy_logs("shop", 10) == []
        assert [one.lines for one in records.deploy_logs("other", 10)] == [("its own",)]


def test_a_store_of_a_newer_agentrun_is_left_alone(open_again: Callable[[], Store]):
    with open_again().transaction() as records:
        records.set_setting("schema", "99")
    with pytest.raises(ConfigError, match="newer AgentRun"):
        open_again()


def test_only_its_user_can_read_the_file(tmp_path: Path):
    open_store(f"sqlite://{tmp_path}/deep/store.db").close()
    assert stat.S_IMODE(os.stat(tmp_path / "deep" / "store.db").st_mode) == 0o600


def test_a_file_that_is_no_database_is_refused_with_what_to_do(tmp_path: Path):
    (tmp_path / "store.db").write_bytes(b"nonsense " * 1000)
    with pytest.raises(ConfigError, match="cannot be read as a database.*Move it away"):
        open_store(f"sqlite://{tmp_path}/store.db")


def test_an_unknown_kind_of_store_is_refused():
    with pytest.raises(ConfigError, match="'mysql' is no kind of store"):
        open_store("mysql://x")


@pytest.mark.skipif(private_postgres.why_not() is not None, reason=private_postgres.why_not() or "")
def test_two_platforms_do_not_share_a_database(postgres_server: str):
    first = open_store(postgres_server)
    with pytest.raises(ConfigError, match="Another platform"):
        open_store(postgres_server)
    first.close()
    open_store(postgres_server).close()
