"""A YAML that cannot be used, straight from the database: reported, refused, not sent again."""

import pytest

from shared.config.hashing import config_hash
from tests import postgres
from tests.agent.rig import Rig, config_yaml, pool_yaml
from tests.whole.fleet import NODE, Fleet

pytestmark = pytest.mark.slow

GOOD = config_yaml(pool_yaml("web"))
BAD = GOOD.replace("region:", "regoin:")


@pytest.mark.fault(50)
def test_a_bad_yaml_from_the_database_is_reported_and_the_old_one_keeps_running(
    rig: Rig, cluster: postgres.Cluster
) -> None:
    rig.add_pool("web", size=2, demand=90)
    fleet = Fleet.on(rig, cluster, GOOD)
    central = fleet.central
    assert central is not None
    fleet.run(1)
    central.execute(
        "UPDATE node_configurations SET yaml_config = :bad, config_hash = :hash WHERE is_active",
        bad=BAD,
        hash=config_hash(BAD),
    )
    central.execute("UPDATE node_state SET active_hash = :hash", hash=config_hash(BAD))

    offered = fleet.beat()
    assert offered is not None
    assert offered.yaml_config == BAD
    fleet.run(2)

    answers = [fleet.beat() for _ in range(3)]
    assert [answer.yaml_config for answer in answers if answer] == [None, None, None]
    state = central.rows(
        "SELECT running_hash, failed_hash, apply_status, apply_error FROM node_state"
    )
    assert state[0]["running_hash"] == config_hash(GOOD)
    assert state[0]["failed_hash"] == config_hash(BAD)
    assert state[0]["apply_status"] == "failed"
    assert "line 7, column 5" in state[0]["apply_error"]
    assert "did you mean 'region'" in state[0]["apply_error"]
    rig.demand("web", 400)
    fleet.run(6)
    assert rig.size("web") > 2, "the old configuration keeps scaling"

    central.push(NODE, GOOD + "# mended\n")
    fleet.beat()
    fleet.run(1)
    state = central.rows("SELECT running_hash, apply_status FROM node_state")
    assert state == [{"running_hash": config_hash(GOOD + "# mended\n"), "apply_status": "applied"}]
    fleet.close()
