"""Shares of a tenancy's metric requests: equal, spread over a minute, and in every answer."""

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from central.budgets import REQUESTS_PER_SECOND, SPREAD_SECONDS, Budgets, shares
from shared.wire import HeartbeatAnswer
from tests.central_server import RunningCentral
from tests.heartbeats import beat

members = st.dictionaries(
    st.integers(1, 10_000), st.sampled_from([None, "ocid1.tenancy.a", "ocid1.tenancy.b"])
)


@given(members)
def test_a_tenancy_never_gets_more_than_its_part_whoever_reads_it(
    nodes: dict[int, str | None],
) -> None:
    found = shares(nodes.items())
    assert found.keys() == nodes.keys()
    for tenancy in set(nodes.values()):
        own = [found[node] for node, of in nodes.items() if of == tenancy]
        assert sum(one.requests_per_second for one in own) == pytest.approx(REQUESTS_PER_SECOND)


@given(members)
def test_no_two_nodes_of_a_tenancy_read_at_the_same_instant(nodes: dict[int, str | None]) -> None:
    found = shares(nodes.items())
    for tenancy in set(nodes.values()):
        own = sorted(found[n].phase_seconds for n, of in nodes.items() if of == tenancy)
        assert len(set(own)) == len(own)
        assert own[0] == 0
        assert own[-1] < SPREAD_SECONDS


@pytest.mark.parametrize(("nodes", "last"), [(1, 0), (10, 9), (60, 59), (120, 59.5), (200, 59.7)])
def test_few_nodes_wait_a_second_for_each_other_and_many_share_a_minute(
    nodes: int, last: float
) -> None:
    found = shares((number, "a") for number in range(nodes))
    assert found[nodes - 1].phase_seconds == pytest.approx(last)


def test_the_order_in_which_nodes_are_counted_changes_nothing() -> None:
    assert shares([(1, "a"), (2, "a"), (3, "b")]) == shares([(3, "b"), (2, "a"), (1, "a")])


def test_a_node_that_was_not_counted_yet_has_no_share() -> None:
    budgets = Budgets()
    assert budgets.of(7) is None
    budgets.share_out([(7, "a")])
    first = budgets.of(7)
    budgets.share_out([(7, "a")])
    assert budgets.of(7) is first, "nothing changed, so nothing was made anew"
    budgets.share_out([(8, "a")])
    assert budgets.of(7) is None


def test_every_answer_brings_the_share_of_the_nodes_tenancy(central: RunningCentral) -> None:
    keys = [central.create_node(f"n{number}") for number in range(4)]
    tenancies = ["ocid1.tenancy.a", "ocid1.tenancy.a", "ocid1.tenancy.b", None]
    _beat_all(central, keys, tenancies, 1)
    _count(central)
    found = [answer.metrics_budget for answer in _beat_all(central, keys, tenancies, 2)]
    told = [(one.requests_per_second, one.phase_seconds) for one in found if one is not None]
    assert told == [(4, 0), (4, 1), (8, 0), (8, 0)]


GONE: dict[str, tuple[str, int]] = {
    "stopped": ("UPDATE nodes SET status = 'INACTIVE' WHERE name = 'n1'", 1),
    "lost for long": (
        "UPDATE node_state SET received_at = now() - interval '61 min' WHERE node_id = 2",
        1,
    ),
    "lost just now": ("UPDATE node_state SET received_at = now() WHERE node_id = 2", 2),
}


@pytest.mark.parametrize(("change", "sharers"), GONE.values(), ids=GONE.keys())
def test_who_reads_no_more_has_no_part(central: RunningCentral, change: str, sharers: int) -> None:
    keys = [central.create_node(f"n{number}") for number in range(2)]
    _beat_all(central, keys, ["t", "t"], 1)
    central.execute("UPDATE nodes SET status = 'OFFLINE' WHERE name = 'n1'")
    central.execute(change)
    _count(central)
    (answer,) = _beat_all(central, keys[:1], ["t"], 2)
    assert answer.metrics_budget is not None
    assert answer.metrics_budget.requests_per_second == 8 / sharers


def _beat_all(
    central: RunningCentral, keys: list[str], tenancies: list[str | None], sequence: int
) -> list[HeartbeatAnswer]:
    answers = []
    for key, tenancy in zip(keys, tenancies, strict=True):
        body: dict[str, Any] = beat(sequence) | ({"tenancy": tenancy} if tenancy else {})
        with central.client(key) as agent:
            response = agent.post("/v1/heartbeat", json=body)
        assert response.status_code == 200
        answers.append(HeartbeatAnswer.model_validate_json(response.content))
    return answers


def _count(central: RunningCentral) -> None:
    """What central does by itself every ten seconds."""
    job: Callable[[], None] = central.whole._count_nodes
    job()
