"""A deploy happens wholly or not at all, whatever fails in the middle."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import msgspec
import pytest

from agentrun.errors import Conflict, NotReady, RequestError
from agentrun.platform.actions import access, addresses, deploy_logs, releases, runtimes
from agentrun.platform.actions.deploy import deploy
from agentrun.platform.builds.package import File, of
from agentrun.platform.core import Core
from agentrun.platform.instances.wanted import Figures
from agentrun.platform.store import Store
from agentrun.platform.store.sqlite import Sqlite
from agentrun.resources import (
    Definition,
    Deployed,
    Deployment,
    EndpointWish,
    Hold,
    Limits,
    Scale,
    SecretRef,
    Testers,
)

from .conftest import Clock, core_of
from .fleet import FakeFleet


def wish(word: str = "one", **more: Any) -> Deployment:
    definition = Definition(command=("/bin/true", word), scale=Scale(keep_s=120))
    return Deployment("shop", definition, **more)


async def made(core: Core, word: str = "one", **more: Any) -> Deployed:
    return await deploy(core, wish(word, **more), by="me", say=lambda _: None)


def picture(core: Core) -> object:
    """All that the store says."""
    with core.store.transaction() as records:
        return records.runtimes(), records.versions(), records.endpoints(), records.rollout("shop")


async def test_versions_are_numbered_and_the_same_content_is_none(core: Core):
    assert (await made(core)).version == "1"
    again = await made(core)
    assert (again.version, again.created) == ("1", False)
    assert (await made(core, "two")).version == "2"
    back = await made(core, "one")
    assert (back.version, back.created) == ("3", True), (
        "LATEST is the newest, also where it is an old one again"
    )


@pytest.mark.parametrize(
    "change",
    [
        {"variables": {"A": "1"}},
        {"limits": Limits(2.0)},
        {"scale": Scale(max=9)},
        {"command": ("/bin/false",)},
        {"bot_id": "ibot-a-b"},
    ],
)
async def test_whatever_a_version_is_made_of_makes_a_new_one(core: Core, change: dict[str, Any]):
    await made(core)
    definition = msgspec.structs.replace(wish().definition, **change)
    done = await deploy(core, Deployment("shop", definition), by="me", say=lambda _: None)
    assert (done.version, done.created) == ("2", True)


async def test_the_new_version_answers_before_it_gets_traffic(core: Core, fleet: FakeFleet):
    await made(core)
    seen: list[object] = []
    wait = fleet.wait_ready

    async def look(version_id: str, timeout_s: float) -> None:
        seen.append((core.routes.of_runtime("shop"), fleet.wanted["shop@2"].scale.min))
        await wait(version_id, timeout_s)

    fleet.wait_ready = look  # pyright: ignore[reportAttributeAccessIssue]
    before = core.routes.of_runtime("shop")
    await made(core, "two")
    assert seen == [(before, 1)]
    assert core.routes.of_runtime("shop").shares[0].version == 2


async def test_one_that_never_answers_changes_nothing_and_leaves_nothing(core: Core, fleet: FakeFleet):
    await made(core)
    before, route = picture(core), core.routes.of_runtime("shop")
    fleet.bad.add("shop@2")
    with pytest.raises(NotReady, match="Readiness probe failed"):
        await made(core, "two")
    assert (picture(core), core.routes.of_runtime("shop")) == (before, route)
    assert list(fleet.wanted) == ["shop@1"]
    fleet.bad.clear()
    assert (await made(core, "three")).version == "2"


async def test_a_deploy_that_is_called_off_changes_nothing(core: Core, fleet: FakeFleet):
    await made(core)
    before, started = picture(core), asyncio.Event()

    async def never(version_id: str, timeout_s: float) -> None:
        started.set()
        await asyncio.Event().wait()

    fleet.wait_ready = never  # pyright: ignore[reportAttributeAccessIssue]
    task = asyncio.create_task(made(core, "two"))
    await started.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert picture(core) == before
    assert list(fleet.wanted) == ["shop@1"]


async def test_what_a_deploy_said_is_kept_a_failed_one_too(core: Core, fleet: FakeFleet):
    first = await made(core)
    fleet.bad.add("shop@2")
    with pytest.raises(NotReady):
        await made(core, "two")
    again = await made(core)
    logs = await deploy_logs.of_runtime(core, "shop", 10)
    assert [(log.number, log.version, log.status) for log in logs] == [
        (again.deployment, "1", "finished"), (2, "", "failed"), (first.deployment, "1", "finished"),
    ]  # fmt: skip
    assert [log.lines[0] for log in reversed(logs)] == [
        "Starting version 1", "Starting version 2", "Version 1 is this code and configuration already",
    ]  # fmt: skip
    assert "Readiness probe failed" in logs[1].lines[-1]


async def test_a_log_that_cannot_be_kept_hides_no_error(tmp_path: Path, fleet: FakeFleet, clock: Clock):
    database = Failing(tmp_path / "store.db")
    core = core_of(Store(database), fleet, tmp_path, clock)
    fleet.bad.add("shop@1")
    database.left = 1
    with pytest.raises(NotReady):
        await made(core)
    assert await deploy_logs.of_runtime(core, "shop", 10) == []
    core.store.close()


class Failing(Sqlite):
    """A disk that fails at the n-th write."""

    left = 10**9
    written = False

    def begin(self) -> None:
        self.written = False
        super().begin()

    def execute(self, sql: str, *parameters: Any) -> Any:
        if sql.startswith(("INSERT", "UPDATE", "DELETE")):
            self._count()
        return super().execute(sql, *parameters)

    def commit(self) -> None:
        if self.written:
            self._count()
        super().commit()

    def _count(self) -> None:
        self.written = True
        self.left -= 1
        if self.left == 0:
            raise OSError(28, "No space left on device")


Act = Callable[[Core], Any]
ACTIONS: dict[str, Act] = {
    "deploy": lambda core: made(core, "two", endpoints=(EndpointWish("a", 1), EndpointWish("b", 2, 0.5))),
    "release": lambda core: made(core, "two", hold=Hold()),
    "publish": lambda core: addresses.published(core, "shop", EndpointWish("x", 1), by="me"),
    "remove endpoint": lambda core: addresses.remove(core, "shop", "beta", by="me"),
    "label": lambda core: runtimes.publish_version(core, "shop", "First", by="me"),
    "reserve": lambda core: runtimes.reserve(core, "shop", 3, by="me"),
    "remove": lambda core: runtimes.remove(core, "shop", by="me"),
    "secret": lambda core: access.set_secret(core, "A", "1", by="me"),
    "key": lambda core: access.make_key(core, "k", ("read",), by="me"),
}


@pytest.mark.parametrize("action", ACTIONS)
async def test_whichever_write_fails_all_of_it_is_there_or_nothing(
    tmp_path: Path, fleet: FakeFleet, clock: Clock, action: str
):
    failures = 0
    for count in range(1, 40):
        folder = tmp_path / str(count)
        database = Failing(folder / "store.db")
        core = core_of(Store(database), fleet, folder, clock)
        await made(core)
        await addresses.published(core, "shop", EndpointWish("beta", 1), by="me")
        before, wanted = picture(core), sorted(fleet.wanted)
        database.left = count
        try:
            await ACTIONS[action](core)
        except OSError:
            failures += 1
            assert (picture(core), sorted(fleet.wanted)) == (before, wanted)
            database.left = 10**9
            await ACTIONS[action](core)
        done = database.left > 0
        core.store.close()
        with closing(Sqlite(folder / "store.db")) as left:
            assert left.execute("PRAGMA integrity_check") == [("ok",)]
        if done and failures and count > failures:
            break
    assert failures >= 2, "an action has a write and a commit at least"


async def test_routes_that_could_not_be_read_are_read_again(core: Core, fleet: FakeFleet):
    await made(core)
    want = fleet.want

    async def fail(_: object) -> None:
        raise OSError("the keeper is away")

    fleet.want = fail  # pyright: ignore[reportAttributeAccessIssue]
    with pytest.raises(OSError):
        await addresses.published(core, "shop", EndpointWish("beta", 1), by="me")
    assert core.is_stale
    fleet.want = want  # pyright: ignore[reportAttributeAccessIssue]
    await core.again()
    assert not core.is_stale
    assert core.routes.find("shop", "beta") is not None


async def test_an_old_version_stays_warm_and_then_goes(core: Core, fleet: FakeFleet, clock: Clock):
    await made(core)
    await made(core, "two")
    assert fleet.wanted["shop@1"].scale.min == 1
    clock.now += 100
    await core.again()
    assert fleet.wanted["shop@1"].scale.min == 1
    clock.now += 21
    await core.again()
    assert (fleet.wanted["shop@1"].scale.min, core.warm) == (0, {})


async def test_reserved_concurrency_keeps_instances(core: Core, fleet: FakeFleet):
    await made(core)
    await runtimes.reserve(core, "shop", 25, by="me")
    assert fleet.wanted["shop@1"].scale.min == 3
    await runtimes.reserve(core, "shop", None, by="me")
    assert fleet.wanted["shop@1"].scale.min == 0


async def test_a_removed_runtime_leaves_nothing_and_its_name_is_free(core: Core, fleet: FakeFleet):
    await made(core)
    await runtimes.remove(core, "shop", by="me")
    assert (fleet.wanted, core.routes.of_runtime("shop")) == ({}, None)
    assert (await made(core, "other")).version == "1"


async def test_secrets_are_locked_when_the_version_is_made(core: Core):
    with pytest.raises(RequestError, match="no secret A. Run: agentrun secrets set A"):
        await made(core, secrets=("A",))
    await access.set_secret(core, "A", "first", by="me")
    await made(core, secrets=("A",))
    await access.set_secret(core, "A", "second", by="me")
    (version,) = core.snapshot.versions
    assert version.definition.secrets == (SecretRef("A", 1),)
    assert core.launch(version).environment["A"] == "first"
    assert "A" in core.launch(version).masked
    assert (await made(core, secrets=("A",))).version == "2", "a new value is a new version"
    await access.remove_secret(core, "A", by="me")
    assert core.launch(core.snapshot.versions[1]).environment["A"] == "second"


async def test_a_version_that_cannot_be_launched_any_more_does_not_hold_up_the_others(
    core: Core, fleet: FakeFleet, tmp_path: Path
):
    package = of([File("app", executable=True, data=b"1")])
    core.packages.put(package, package.digest)
    broken = Deployment("broken", Definition(command=("./app",), package=package.digest))
    await deploy(core, broken, by="me", say=lambda _: None)
    await made(core)
    core._launches.clear()
    (tmp_path / "packages" / package.digest).rename(tmp_path / "gone")
    await core.refresh()
    assert list(fleet.wanted) == ["shop@1"]


async def test_endpoints_that_a_deploy_names_may_be_at_the_version_it_makes(core: Core):
    await made(core, endpoints=(EndpointWish("production", 1),))
    with pytest.raises(RequestError, match="no version 3") as error:
        await made(core, "two", endpoints=(EndpointWish("production", 1), EndpointWish("canary", 3)))
    assert error.value.param == "endpoints.1.version"
    done = await made(core, "two", endpoints=(EndpointWish("production", 1), EndpointWish("canary", 2, 0.2)))
    assert [endpoint.traffic for endpoint in done.agent.endpoints] == ["80% → 1, 20% → 2", "100% → 2"]


async def test_a_gray_release_goes_back_by_itself_when_the_new_version_is_bad(
    core: Core, fleet: FakeFleet, clock: Clock
):
    await made(core)
    await made(core, "two", hold=Hold())
    assert core.routes.of_runtime("shop").shares[0].version == 1
    await releases.test(core, "shop", Testers(open_ids=("o",)), by="me")
    await releases.percent(core, "shop", 10, by="me")
    fleet.answers["shop@2"] = Figures(requests=100, errors=5)
    await releases.watch(core)
    assert core.routes.of_runtime("shop").shares[-1].version == 2
    fleet.answers["shop@2"] = Figures(requests=100, errors=6)
    await releases.watch(core)
    assert [share.version for share in core.routes.of_runtime("shop").shares] == [1]
    status = await releases.status(core, "shop")
    assert (status.rollout.state, status.rollout.steps[-1].by) == ("rolled_back", "automatic")
    assert "6 of 100 answers failed" in status.rollout.steps[-1].detail


async def test_a_finished_release_is_where_the_traffic_is(core: Core):
    await made(core)
    await made(core, "two", hold=Hold())
    with pytest.raises(Conflict, match="A gray release"):
        await addresses.published(core, "shop", EndpointWish("production", 1), by="me")
    await releases.test(core, "shop", Testers(parameter="v", value="x"), by="me")
    await releases.percent(core, "shop", 100, by="me")
    await releases.finalize(core, "shop", by="me")
    assert [share.version for share in core.routes.of_runtime("shop").shares] == [2]
    assert (await made(core, "three")).agent.endpoints[0].traffic == "100% → 3", "it is still at LATEST"


async def test_who_did_what_is_written_down(core: Core):
    await made(core)
    await addresses.published(core, "shop", EndpointWish("beta", 1), by="you")
    with core.store.transaction() as records:
        found = [(audit.action, audit.who, audit.detail) for audit in records.audits(10)]
    assert sorted(found) == [("deploy", "me", "version 1"), ("endpoint publish", "you", "beta → 1")]
