"""`agentrun release`: a gray release, step by step."""

from __future__ import annotations

from typing import Annotated

import typer

from agentrun.cli.platform import shipping, show
from agentrun.cli.platform.options import S_YAML, AccessName, Debug, Json, RuntimeName, Template, group
from agentrun.cli.platform.project import Target, of_runtime, platform_of, project_of, target
from agentrun.client import Client
from agentrun.errors import ConfigError
from agentrun.resources import Hold, Release, Testers

release = group("Gray releases: start, test, percent, finalize; or rollback at any time.")


@release.command("start")
def start(
    target_version: Annotated[
        int | None, typer.Option(help="A version that is there, in place of a deploy.", show_default=False)
    ] = None,
    max_error_rate: Annotated[float, typer.Option(help="Above this it goes back by itself.")] = 0.05,
    max_latency_ms: Annotated[
        float | None, typer.Option(help="Above this, for one answer of twenty, too.", show_default=False)
    ] = None,
    template: Template = S_YAML,
    access: AccessName = None,
    runtime: RuntimeName = None,
    as_json: Json = False,
    debug: Debug = False,
) -> None:
    """Deploy the new version and let nobody reach it yet but by its own address.

    The first version of an agent has no other to take over from: it gets all traffic at once.
    """
    if target_version is not None:
        with target(template, access, runtime) as (client, name):
            found = client.release_start(
                name, version=target_version, max_error_rate=max_error_rate, max_latency_ms=max_latency_ms
            )
        show.answer(found, as_json=as_json)
        return
    project = project_of(template)
    cargoes = [cargo for cargo in shipping.load(project) if runtime is None or cargo.wish.runtime == runtime]
    if len(cargoes) != 1:
        raise ConfigError(
            f"{template} has {len(cargoes)} such agents.", hint="Say which with --runtime NAME."
        )
    with platform_of(project, access) as client:
        show.answer(_started(client, cargoes[0], Hold(max_error_rate, max_latency_ms)), as_json=as_json)


def _started(client: Client, cargo: shipping.Cargo, hold: Hold) -> object:
    done = shipping.deploy(client, cargo, hold=hold)
    if done.version == "1":
        return {"version": "1", "traffic": "100%", "note": "The first version has all traffic at once."}
    if not done.created:
        return client.release_start(
            cargo.wish.runtime, max_error_rate=hold.max_error_rate, max_latency_ms=hold.max_latency_ms
        )
    return client.release(cargo.wish.runtime)


@release.command("test")
@of_runtime
def test(
    at: Target,
    open_id: Annotated[
        list[str] | None, typer.Option(help="A tester's X-WX-OPENID; may be repeated.", show_default=False)
    ] = None,
    parameter: Annotated[
        str | None, typer.Option(help="A URL parameter, as name=value.", show_default=False)
    ] = None,
    as_json: Json = False,
) -> None:
    """Let testers reach the new version, and only them."""
    name_, _, value = (parameter or "").partition("=")
    testers = Testers(tuple(open_id or ()), name_ or None, value or None)
    _show(at.client.release_test(at.runtime, testers), as_json=as_json)


@release.command("percent")
@of_runtime
def percent(
    at: Target,
    percent: Annotated[float, typer.Argument(help="Above 0, up to 100.")],
    as_json: Json = False,
) -> None:
    """Give the new version this share of the traffic. A session stays where it is."""
    _show(at.client.release_percent(at.runtime, percent), as_json=as_json)


@release.command("finalize")
@of_runtime
def finalize(at: Target, as_json: Json = False) -> None:
    """End the release: the new version has all traffic."""
    _show(at.client.release_finalize(at.runtime), as_json=as_json)


@release.command("rollback")
@of_runtime
def rollback(
    at: Target,
    reason: Annotated[str, typer.Option(help="Why; it is recorded.", show_default=False)] = "",
    as_json: Json = False,
) -> None:
    """End the release: the old version has all traffic again, from the next request on."""
    _show(at.client.release_rollback(at.runtime, reason), as_json=as_json)


@release.command("status")
@of_runtime
def status(at: Target, as_json: Json = False) -> None:
    """Show the last release: where it is, who did what, how the new version answers."""
    _show(at.client.release(at.runtime), as_json=as_json)


def _show(found: Release, *, as_json: bool) -> None:
    show.answer(found, as_json=as_json)
