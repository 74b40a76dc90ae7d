"""Ten minutes without central: the same decisions, and afterwards every record exactly once."""

import contextlib
import itertools
from collections.abc import Iterator
from pathlib import Path

import pytest

from central import liveness
from simulator.keys import ApiKey
from tests import postgres
from tests.agent.rig import config_yaml, pool_yaml, rig_on
from tests.whole.fleet import Fleet

YAML = config_yaml(pool_yaml("web", cooldown="{scale_out: 1m, scale_in: 2m}"))
AGENTS_OWN = sorted(set(liveness.EVENTS.values()))


def play(fleet: Fleet, *, outage: bool) -> None:
    """Load rises, stays, and falls; central may be away in the middle of it."""
    fleet.run(5)
    fleet.rig.demand("web", 390)
    fleet.run(5)
    if outage:
        fleet.stop_central()
    fleet.rig.demand("web", 700)
    fleet.run(5)
    fleet.rig.demand("web", 80)
    fleet.run(5)
    if outage:
        fleet.start_central()
    fleet.run(15)
    fleet.drain()


@contextlib.contextmanager
def fleet_in(home: Path, key: ApiKey, cluster: postgres.Cluster) -> Iterator[Fleet]:
    with rig_on(key, home) as rig:
        rig.add_pool("web", size=2, demand=90)
        fleet = Fleet.on(rig, cluster, YAML)
        try:
            yield fleet
        finally:
            fleet.close()


@pytest.mark.slow
@pytest.mark.fault(1)
def test_ten_minutes_without_central_change_no_decision_and_lose_no_record(
    tmp_path: Path, key: ApiKey, cluster: postgres.Cluster
) -> None:
    with fleet_in(tmp_path / "up", key, cluster) as fleet:
        play(fleet, outage=False)
        with_central = fleet.decisions.rows
    with fleet_in(tmp_path / "down", key, cluster) as fleet:
        play(fleet, outage=True)
        assert fleet.decisions.rows == with_central
        sizes = [size for _, _, size, _ in fleet.decisions.rows]
        assert max(sizes) > 8
        assert sizes[-1] == 2

        central = fleet.central
        assert central is not None
        cursors = central.rows("SELECT last_sequence FROM stream_cursors")
        assert [row["last_sequence"] for row in cursors] == [fleet.written()]
        stored = central.rows(
            "SELECT (SELECT count(*) FROM pool_analytics) + (SELECT count(*) FROM metrics) + "
            "(SELECT count(*) FROM node_lifecycle_logs WHERE NOT event_type = ANY(:own)) AS n",
            own=AGENTS_OWN,
        )
        assert stored[0]["n"] == fleet.written()
        minutes = central.rows(
            "SELECT date_trunc('minute', timestamp) AS minute, count(*) AS n FROM pool_analytics "
            "WHERE scaling_event IS NULL GROUP BY 1 ORDER BY 1"
        )
        gaps = [b["minute"] - a["minute"] for a, b in itertools.pairwise(minutes)]
        assert {gap.total_seconds() for gap in gaps} == {60.0}
        twice = central.rows(
            "SELECT timestamp, scaling_event, scaling_reason FROM pool_analytics "
            "GROUP BY 1, 2, 3 HAVING count(*) > 1"
        )
        assert twice == []
