"""`config adopt`: a central that knows less than its nodes learns from them, with a real agent."""

import contextlib
import os
import subprocess
from pathlib import Path

import httpx
import psycopg2
import pytest
from psycopg2 import sql
from sqlalchemy import make_url

from central.embedded import SUPERUSER
from central.postgres_binaries import installed
from shared.config.hashing import config_hash
from tests import postgres
from tests.agent.rig import Rig, config_yaml, pool_yaml
from tests.central_server import RunningCentral, eventually
from tests.whole.fleet import NODE, Fleet

pytestmark = pytest.mark.slow

FIRST = config_yaml(pool_yaml("web"))
SECOND = FIRST + "# the second\n"
THIRD = FIRST + "# the third\n"


def state(central: RunningCentral) -> dict[str, object]:
    (row,) = central.rows(
        "SELECT active_hash, active_generation, running_hash, reported_generation, apply_status, "
        "failed_hash FROM node_state"
    )
    return row


def adopt(central: RunningCentral, **params: object) -> httpx.Response:
    path = f"/v1/nodes/{NODE}/config/adopt"
    return central.operator().post(path, params={k: str(v) for k, v in params.items()})


def adopted(fleet: Fleet, central: RunningCentral) -> dict[str, object]:
    """Ask, let the agent beat until it has sent, and wait for the decision."""
    assert adopt(central).status_code == 200
    fleet.beat()
    fleet.beat()

    def _decided() -> dict[str, object] | None:
        found: dict[str, object] = central.operator().get(f"/v1/nodes/{NODE}/config/adopt").json()
        return found if found["state"] in ("adopted", "refused") else None

    done: dict[str, object] = eventually(_decided)
    return done


class Dump:
    """A database as `pg_dump` of the embedded PostgreSQL writes it."""

    def __init__(self, cluster: postgres.Cluster, url: str, file: Path) -> None:
        self._cluster = cluster
        self._url = make_url(url)
        self._file = file
        self._run("pg_dump", "--format=custom", f"--file={file}", str(self._url.database))

    def restore(self) -> None:
        """Into an empty database of the same name, as docs/operations.md says."""
        name = str(self._url.database)
        address = self._cluster.server.url(SUPERUSER, "postgres").replace("+psycopg2", "")
        with contextlib.closing(psycopg2.connect(address)) as connection:
            connection.autocommit = True
            words = {"name": sql.Identifier(name), "owner": sql.Identifier(str(self._url.username))}
            cursor = connection.cursor()
            cursor.execute(sql.SQL("DROP DATABASE {name} WITH (FORCE)").format(**words))
            cursor.execute(sql.SQL("CREATE DATABASE {name} OWNER {owner}").format(**words))
        self._run(
            "pg_restore", "--no-owner", "--exit-on-error", f"--dbname={name}", str(self._file)
        )

    def _run(self, tool: str, *words: str) -> None:
        query = self._url.query
        environment = {
            **os.environ,
            "PGHOST": str(query.get("host") or self._url.host or ""),
            "PGPORT": str(query.get("port") or self._url.port or ""),
            "PGUSER": str(self._url.username),
            "PGPASSWORD": str(self._url.password or ""),
        }
        binary = installed() / "bin" / tool
        subprocess.run([binary, *words], env=environment, check=True, timeout=60)


@pytest.mark.slow
def test_a_central_restored_from_yesterdays_dump_rolls_no_agent_back(
    rig: Rig, cluster: postgres.Cluster, tmp_path: Path
) -> None:
    rig.add_pool("web", size=2, demand=90)
    fleet = Fleet.on(rig, cluster, FIRST)
    assert fleet.central is not None
    fleet.run(1)
    yesterday = Dump(cluster, fleet.database_url, tmp_path / "yesterday.dump")
    for text in (SECOND, THIRD):
        fleet.central.push(NODE, text)
        fleet.beat()
        fleet.run(1)
    assert state(fleet.central)["running_hash"] == config_hash(THIRD)

    fleet.stop_central()
    yesterday.restore()
    central = fleet.start_central()
    fleet.run(2)

    behind = state(central)
    assert (behind["active_generation"], behind["reported_generation"]) == (1, 3)
    assert behind["running_hash"] == config_hash(THIRD), "it is not rolled back"
    events = central.rows(
        "SELECT reason FROM node_lifecycle_logs WHERE event_type='CENTRAL_BEHIND'"
    )
    assert "generation 3" in events[0]["reason"]
    rig.demand("web", 400)
    fleet.run(6)
    assert rig.size("web") > 2, "it goes on scaling"

    done = adopted(fleet, central)
    assert (done["state"], done["generation"]) == ("adopted", 4)
    fleet.beat()
    fleet.beat()
    mended = state(central)
    assert mended == {
        "active_hash": config_hash(THIRD),
        "active_generation": 4,
        "running_hash": config_hash(THIRD),
        "reported_generation": 4,
        "apply_status": "applied",
        "failed_hash": None,
    }
    assert central.operator().get(f"/v1/nodes/{NODE}/config").text == THIRD
    fourth = central.push(NODE, FIRST + "# the fourth\n")
    assert fourth.generation == 5
    fleet.beat()
    fleet.run(1)
    assert state(central)["running_hash"] == fourth.config_hash
    fleet.close()


def test_the_same_text_is_a_new_version_above_the_agents(
    rig: Rig, cluster: postgres.Cluster
) -> None:
    """As after: first, second, rolled back to first, and a dump from before the second."""
    rig.add_pool("web", size=2, demand=90)
    fleet = Fleet.on(rig, cluster, FIRST)
    central = fleet.central
    assert central is not None
    fleet.run(1)
    for text in (SECOND, FIRST):
        central.push(NODE, text)
        fleet.beat()
        fleet.run(1)
    central.execute("DELETE FROM node_configurations WHERE generation > 1")
    central.execute("UPDATE node_configurations SET is_active = true")
    central.execute("UPDATE node_state SET active_generation = 1")
    fleet.beat()
    assert adopted(fleet, central)["generation"] == 4
    fleet.beat()
    fleet.beat()
    assert state(central)["reported_generation"] == 4
    fleet.close()


def test_a_nodes_own_file_is_adopted(rig: Rig, cluster: postgres.Cluster) -> None:
    rig.add_pool("web", size=2, demand=90)
    fleet = Fleet.on(rig, cluster, FIRST)
    central = fleet.central
    assert central is not None
    fleet.run(1)
    central.execute("DELETE FROM node_configurations")
    central.execute("DELETE FROM pools")
    central.execute("UPDATE node_state SET active_hash = NULL, active_generation = NULL")
    fleet.run(1)
    done = adopted(fleet, central)
    assert (done["state"], done["config_hash"]) == ("adopted", config_hash(FIRST))
    assert [row["name"] for row in central.rows("SELECT name FROM pools")] == ["web"]
    (audited,) = central.rows("SELECT user_email FROM audit_logs WHERE action = 'CONFIG_ADOPTED'")
    assert audited["user_email"] == "admin@example.com"
    fleet.close()


def test_what_was_pushed_meanwhile_is_not_overwritten(rig: Rig, cluster: postgres.Cluster) -> None:
    rig.add_pool("web", size=2, demand=90)
    fleet = Fleet.on(rig, cluster, FIRST)
    central = fleet.central
    assert central is not None
    fleet.run(1)
    assert adopt(central).status_code == 200
    central.push(NODE, SECOND)
    fleet.beat()
    fleet.beat()
    path = f"/v1/nodes/{NODE}/config/adopt"
    done = eventually(
        lambda: (found := central.operator().get(path).json())["state"] == "refused" and found
    )
    assert "changed by somebody else" in done["reason"]
    assert central.operator().get(f"/v1/nodes/{NODE}/config").text == SECOND
    fleet.close()


def test_only_an_agent_that_is_heard_and_able_is_asked(rig: Rig, cluster: postgres.Cluster) -> None:
    rig.add_pool("web", size=2, demand=90)
    fleet = Fleet.on(rig, cluster, FIRST)
    central = fleet.central
    assert central is not None
    fleet.run(1)
    central.execute("UPDATE node_state SET capabilities = '{config.v1}'")
    assert adopt(central).json()["code"] == "too_old"
    central.execute("UPDATE nodes SET status = 'OFFLINE'")
    assert adopt(central).json()["code"] == "silent"
    central.create_node("new")
    assert central.operator().get("/v1/nodes/new/config/adopt").status_code == 404
    fleet.close()
