"""The two clients are one: the same operations with the same parameters, and the errors that were there."""

from __future__ import annotations

import inspect

import msgspec
import pytest

from agentrun import errors
from agentrun.client import AsyncClient, Client
from agentrun.client.failures import of_answer
from agentrun.platform.api.progress import shape, status_of


def operations(kind: type) -> dict[str, list[str]]:
    return {
        name: list(inspect.signature(found).parameters)
        for name, found in inspect.getmembers(kind, inspect.isfunction)
        if not name.startswith("_")
    }


def test_both_have_the_same_operations():
    assert operations(AsyncClient) == operations(Client)


@pytest.mark.parametrize(
    "kind",
    [
        errors.RequestError,
        errors.Unauthorized,
        errors.PermissionDenied,
        errors.NotFound,
        errors.Conflict,
        errors.TooLarge,
        errors.RateLimited,
        errors.Unavailable,
        errors.ConfigError,
        errors.DeployError,
        errors.BuildFailed,
        errors.NotReady,
    ],
)
def test_an_error_arrives_as_what_it_was(kind: type[errors.AgentRunError]):
    error = kind("It is so.", hint="Do this.")
    arrived = of_answer(status_of(error), msgspec.json.encode({"error": shape(error)}))
    assert (type(arrived), arrived.message, arrived.hint, arrived.code) == (
        kind,
        "It is so.",
        "Do this.",
        error.code,
    )


def test_what_is_no_platform_is_said_to_be_none():
    assert "no platform" in str(of_answer(502, b"<html>"))
