"""What a push may do to running instances, told before it does."""

import pytest

from tests.central_server import RunningCentral
from tests.heartbeats import CONFIG, analytics, beat


def report_size(central: RunningCentral, size: int) -> None:
    with central.client(central.create_node("n2")) as agent:
        central.push("n2", CONFIG)
        agent.post("/v1/heartbeat", json=beat(1, analytics(1, current_instances=size)))


SHRINKS = [
    ("max: 20", "max: 12", 0, 200),  # exactly the size: nothing is lost
    ("max: 20", "max: 11", 0, 409),
    ("max: 20", "max: 3", 8, 409),
    ("max: 20", "max: 3", 9, 200),
]


@pytest.mark.parametrize(("old", "new", "allowed", "status"), SHRINKS)
def test_a_push_shows_its_blast_radius(
    central: RunningCentral, old: str, new: str, allowed: int, status: int
) -> None:
    report_size(central, 12)
    answer = central.try_push("n2", CONFIG.replace(old, new), allow_shrink=allowed)
    assert answer.status_code == status
    if new == "max: 3" and status == 409:
        assert answer.json()["error"] == (
            "This configuration terminates 9 of 12 instances in web now: add --allow-shrink 9 if "
            "that is meant."
        )


EVERY_DAY = "schedules:\n  - {name: s, start: '00:00', end: '24:00', target_instances: 4, mode: "
LEASE = (
    "overrides:\n  - {pool: web, target_instances: 4, until: 2199-01-01T00:00:00Z, reason: test}\n"
)
CEILINGS = {
    "a schedule's ceiling": (EVERY_DAY + "at_most}\n", True),
    "an exact schedule": (EVERY_DAY + "exactly}\n", True),
    "a schedule's floor": (EVERY_DAY + "at_least}\n", False),
    "a schedule that is over": (EVERY_DAY + "at_most, until: 2026-01-01}\n", False),
    "an override": (LEASE, True),
    "an override that is over": (LEASE.replace("2199", "2025"), False),
}


@pytest.mark.parametrize(("addition", "terminates"), CEILINGS.values(), ids=CEILINGS.keys())
def test_the_blast_radius_is_that_of_the_bounds_in_force(
    central: RunningCentral, addition: str, terminates: bool
) -> None:
    report_size(central, 12)
    answer = central.try_push("n2", CONFIG + addition)
    assert (answer.status_code, "terminates 8 of 12" in answer.text) == (
        (409, True) if terminates else (200, False)
    )


@pytest.mark.parametrize("mode", ["observe", "paused"])
def test_a_pool_that_is_not_resized_loses_nothing(central: RunningCentral, mode: str) -> None:
    report_size(central, 12)
    calm = CONFIG.replace("max: 20", "max: 3") + f"    mode: {mode}\n"
    assert central.try_push("n2", calm).status_code == 200
