"""`poolkeeper system` against a real central."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from click.testing import CliRunner, Result

from poolkeeper.cli import cli
from tests import postgres
from tests.central_server import RunningCentral, running_central

ROW = """
INSERT INTO system_analytics (timestamp, total_active_pools, total_current_instances,
    total_active_instances, avg_system_cpu, peak_instances_24h, active_nodes)
VALUES (now()::timestamp - interval '10 minutes', 7, 40, 38, :cpu, 44, 3)
"""


@pytest.fixture(scope="module")
def central() -> Iterator[RunningCentral]:
    with postgres.cluster() as cluster, running_central(cluster.new_database()) as running:
        yield running


def run(central: RunningCentral, role: Any, *words: str) -> Result:
    token = central.operator(role).headers["Authorization"].removeprefix("Bearer ")
    environment = {"POOLKEEPER_TOKEN": token, "POOLKEEPER_CENTRAL_URL": central.url}
    return CliRunner(env={**environment, "COLUMNS": "200", "NO_COLOR": "1"}).invoke(
        cli, ["system", *words]
    )


@pytest.mark.parametrize(("cpu", "told"), [(51.4, "51"), (None, "–")])
def test_the_fleet_is_told_row_by_row(
    central: RunningCentral, cpu: float | None, told: str
) -> None:
    central.execute("DELETE FROM system_analytics")
    central.execute(ROW, cpu=cpu)
    lines = run(central, "USER", "show").stdout.splitlines()[1:]
    assert lines[0].split()[2:] == ["3", "7", "40", "38", "44", told]
    rows = json.loads(run(central, "USER", "show", "--json").stdout)
    assert rows[0]["total_current_instances"] == 40, "a younger one is central's own"


def test_the_retention_is_shown_and_changed(central: RunningCentral) -> None:
    assert "scaling_events       730" in run(central, "USER", "retention").stdout
    done = run(central, "ADMIN", "retention", "scaling_events", "1095", "--json")
    assert json.loads(done.stdout) == [{"kind": "scaling_events", "days": 1095}]
    kept = json.loads(run(central, "USER", "retention", "--json").stdout)
    assert {"kind": "scaling_events", "days": 1095} in kept


REFUSED = [
    ("ADMIN", ("metrics",), "Say for how many days"),
    ("ADMIN", ("metrics", "7"), "7 is not in the range"),
    ("ADMIN", ("secrets", "20"), "'secrets' is not one of"),
    ("DEVOPS", ("metrics", "20"), "The role ADMIN is needed"),
]


@pytest.mark.parametrize(("role", "words", "why"), REFUSED)
def test_what_is_refused_is_said_in_a_sentence(
    central: RunningCentral, role: str, words: tuple[str, ...], why: str
) -> None:
    done = run(central, role, "retention", *words)
    assert done.exit_code == 2
    assert why in done.stderr


def test_what_is_wrong_is_told_and_is_the_exit_status(central: RunningCentral) -> None:
    central.execute("DELETE FROM conditions")
    assert run(central, "USER", "conditions").exit_code == 0
    central.execute(
        "INSERT INTO conditions (kind, subject, text, last_seen_at) "
        "VALUES ('capacity', 'n1/web', 'out of [bold]A1', now() + interval '1 day')"
    )
    done = run(central, "USER", "conditions")
    assert done.exit_code == 1
    assert done.stdout.splitlines()[1].split()[2:] == [
        "capacity",
        "n1/web",
        "out",
        "of",
        "[bold]A1",
    ]
    (found,) = json.loads(run(central, "USER", "conditions", "--json").stdout)
    assert (found["kind"], found["subject"], found["told_at"]) == ("capacity", "n1/web", None)


def test_notifications_are_told_newest_first_with_why_one_was_not_delivered(
    central: RunningCentral,
) -> None:
    central.execute("DELETE FROM notifications")
    central.execute(
        "INSERT INTO notifications (channel, state, kind, subject, text, since, sent_at, error) "
        "VALUES ('mail', 'firing', 'stuck', 'n1/web', 'x', now(), now(), NULL), "
        "('webhook', 'firing', 'stuck', 'n1/web', 'x', now(), NULL, 'it answered 500')"
    )
    second, first = run(central, "USER", "notifications").stdout.splitlines()[1:]
    assert "webhook" in second
    assert "it answered 500" in second
    assert "mail" in first
    rows = json.loads(run(central, "USER", "notifications", "--limit", "1", "--json").stdout)
    assert [row["channel"] for row in rows] == ["webhook"]
