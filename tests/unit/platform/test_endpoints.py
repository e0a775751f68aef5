"""What endpoints become: by s.yaml, and by the commands of the guide's gray release."""

from __future__ import annotations

from itertools import count

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentrun.errors import Conflict, NotFound, RequestError
from agentrun.platform import traffic
from agentrun.platform.endpoints import declared, published, removed
from agentrun.resources import Canary, Endpoint, EndpointWish

VERSIONS = (1, 2, 3)
ids = count()


def new_id() -> str:
    return f"ep-{next(ids)}"


def declare(existing: list[Endpoint], *wishes: EndpointWish) -> list[Endpoint]:
    return declared("shop", existing, wishes, VERSIONS, at=1.0, new_id=new_id)


def publish(
    existing: list[Endpoint],
    name: str,
    version: int | None,
    weight: float | None = None,
    canary: Canary | None = None,
):
    wish = EndpointWish(name, version, weight, canary)
    return published("shop", existing, wish, VERSIONS, at=2.0, new_id=new_id)


def shape(endpoints: list[Endpoint]) -> dict[str, tuple[int | None, float | None]]:
    return {endpoint.name: (endpoint.version, endpoint.weight) for endpoint in endpoints}


def test_a_runtime_without_endpoints_gets_production():
    assert shape(declare([])) == {"production": (None, None)}


def test_a_deploy_that_names_none_leaves_those_there_are():
    there = declare([], EndpointWish("beta", 1))
    assert declare(there) == there


def test_the_file_s_endpoints_are_as_it_says_and_the_others_stay():
    there = publish(declare([]), "extra", 1)
    after = declare(there, EndpointWish("production", 1), EndpointWish("canary", 2, 0.2))
    assert shape(after) == {"production": (1, None), "extra": (1, None), "canary": (2, 0.2)}


def test_what_does_not_change_keeps_its_id_and_revision():
    there = declare([], EndpointWish("production", 1))
    assert declare(there, EndpointWish("production", 1)) == there
    (moved,) = declare(there, EndpointWish("production", 2))
    assert (moved.id, moved.revision) == (there[0].id, 2)


def test_the_guide_s_gray_release_and_both_ways_out():
    pinned = declare([], EndpointWish("production", 1))
    ten = publish(pinned, "canary", 2, 0.1)
    half = publish(ten, "canary", 2, 0.5)
    assert shape(half) == {"production": (1, None), "canary": (2, 0.5)}
    won = publish(half, "production", 2)
    assert shape(won) == {"production": (2, None), "canary": (2, 0.0)}
    assert shape(publish(won, "production", 1)) == {"production": (1, None), "canary": (2, 0.0)}
    called_back = publish(half, "production", 1)
    assert shape(called_back) == {"production": (1, None), "canary": (2, 0.0)}


def test_to_pin_the_owner_to_a_third_version_leaves_the_canary_its_share():
    there = publish(declare([]), "canary", 3, 0.2)
    assert shape(publish(there, "production", 1)) == {"production": (1, None), "canary": (3, 0.2)}


def test_a_command_keeps_the_weight_and_the_description_that_it_does_not_name():
    there = declare(
        [], EndpointWish("production", 1), EndpointWish("canary", 2, 0.3, description="The next one")
    )
    canary = publish(there, "canary", 3)[1]
    assert (canary.version, canary.weight, canary.description) == (3, 0.3, "The next one")


def test_an_endpoint_can_split_its_own_address():
    (endpoint,) = publish(declare([]), "production", 1, canary=Canary(2, 0.2))
    assert (endpoint.version, endpoint.canary, endpoint.weight) == (1, Canary(2, 0.2), None)


@pytest.mark.parametrize(
    ("wish", "said"),
    [
        (EndpointWish("canary", 9), "no version 9. There are: 1, 2, 3, and LATEST."),
        (EndpointWish("canary", 2, 1.2), "between 0 and 1"),
        (EndpointWish("canary", 2, None, Canary(9, 0.1)), "no version 9"),
        (EndpointWish("canary", 2, None, Canary(2, 7)), "between 0 and 1"),
        (EndpointWish("production", 2, 0.4), "Nobody is left"),
    ],
)
def test_what_cannot_be_is_refused(wish: EndpointWish, said: str):
    with pytest.raises(RequestError) as error:
        published("shop", declare([]), wish, VERSIONS, at=1.0, new_id=new_id)
    assert said in str(error.value)


def test_an_endpoint_that_others_live_on_stays():
    there = publish(declare([]), "canary", 2, 0.2)
    with pytest.raises(Conflict, match="Nobody is left"):
        removed(there, "shop", "production")
    assert shape(removed(there, "shop", "canary")) == {"production": (None, None)}
    with pytest.raises(NotFound, match='no endpoint "x". There are: canary, production.'):
        removed(there, "shop", "x")


COMMANDS = st.tuples(
    st.sampled_from(["production", "canary", "beta"]),
    st.sampled_from([None, 1, 2, 3]),
    st.none() | st.floats(-0.5, 1.5, allow_nan=False),
)


@given(st.lists(COMMANDS, max_size=12))
def test_whatever_is_asked_for_the_traffic_always_adds_up(
    commands: list[tuple[str, int | None, float | None]],
):
    there = declare([])
    for name, version, weight in commands:
        try:
            there = publish(there, name, version, weight)
        except RequestError:
            continue
        assert traffic.problem(there) is None
