"""The pages of patches for many nodes."""

import re
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from central.rollout import drive
from tests.central_server import RunningCentral
from tests.heartbeats import CONFIG, WEB, analytics, beat
from tests.pages import Reader, shown

MAX_30 = {"edits": "# for the sale\npools.*.limits.max=30\n", "which": "all"}


class Fleet:
    """Nodes n1, n2 with one pool of 12 instances each, whose agents take what they are given."""

    def __init__(self, central: RunningCentral, stack: ExitStack) -> None:
        self.central = central
        self._agents = {}
        self._beats = dict.fromkeys(("n1", "n2"), 0)
        for name in self._beats:
            self._agents[name] = stack.enter_context(central.client(central.create_node(name)))
            central.push(name, CONFIG.replace(WEB, WEB + name))
            self.beat(name)
            self.beat(name, analytics(1, oracle_pool_id=WEB + name, current_instances=12))

    def beat(self, name: str, *records: dict[str, object]) -> None:
        self._beats[name] += 1
        active = self.central.operator().get(f"/v1/nodes/{name}").json()["active_hash"]
        report = {"running_hash": active, "received_hash": active, "status": "applied"}
        body = beat(self._beats[name], *records, config=report)
        answer = self._agents[name].post("/v1/heartbeat", json=body)
        assert answer.status_code == 200, answer.text

    def go_on(self) -> None:
        drive(self.central.whole.engine)
        for name in self._beats:
            self.beat(name)

    def maxima(self) -> list[int]:
        rows = self.central.rows("SELECT max_instances AS size FROM pools ORDER BY oracle_pool_id")
        return [row["size"] for row in rows]


@pytest.fixture
def fleet(central: RunningCentral) -> Iterator[Fleet]:
    with ExitStack() as stack:
        yield Fleet(central, stack)


def test_a_patch_is_shown_for_each_node_and_changes_nothing_yet(
    fleet: Fleet, devops: Reader
) -> None:
    before = fleet.maxima()
    answer = devops.send("/rollouts/preview", **MAX_30)
    assert answer.status_code == 200
    text = shown(answer)
    assert "2 of 2 nodes change in 2 stages 0 instances terminated at once" in text
    assert answer.text.count('<span class="line del">') == 2
    assert answer.text.count('<span class="line add">') == 2
    assert "# for the sale" in answer.text  # what was typed can still be changed
    assert fleet.maxima() == before
    assert "Nothing was rolled out yet." in shown(devops.open("/rollouts"))


def test_a_patch_goes_through_the_fleet_in_stages(fleet: Fleet, devops: Reader) -> None:
    preview = devops.send("/rollouts/preview", **MAX_30)
    (seen,) = re.findall(r'name="seen" value="([0-9a-f]+)"', preview.text)
    answer = devops.send("/rollouts", seen=seen, **MAX_30)
    assert answer.status_code == 303, shown(answer)
    page = devops.open(answer.headers["Location"])
    assert "The roll-out has begun." in shown(page)
    address = answer.headers["Location"].partition("?")[0]
    assert f'hx-get="{address}/live"' in page.text
    assert "HX-Refresh" not in devops.get(address + "/live").headers
    for _ in range(4):
        fleet.go_on()
    text = shown(devops.open(address))
    assert "done" in text
    assert "2 applied" in text
    assert fleet.maxima() == [30, 30]
    over = devops.get(address + "/live")
    assert (over.headers["HX-Refresh"], "hx-get" in over.text) == ("true", False)
    assert "pools.*.limits.max=30" in shown(devops.open("/rollouts"))


def test_what_would_terminate_instances_cannot_begin_unless_it_is_allowed(
    fleet: Fleet, devops: Reader
) -> None:
    patch = {"edits": "pools.*.limits.max=9", "which": "region", "region": "eu-frankfurt-1"}
    answer = devops.send("/rollouts/preview", **patch)
    assert "Terminates 3 of 12 instances in web now." in shown(answer)
    assert "<button disabled>Begin" in answer.text
    refused = devops.send("/rollouts", **patch, allow_shrink="5")
    assert (refused.status_code, "terminates 6 instances" in shown(refused)) == (409, True)
    allowed = devops.send("/rollouts/preview", **patch, allow_shrink="6")
    assert "<button>Begin" in allowed.text
    assert fleet.maxima() == [20, 20]


def test_what_has_changed_since_one_looked_is_shown_again(fleet: Fleet, devops: Reader) -> None:
    preview = devops.send("/rollouts/preview", **MAX_30)
    (seen,) = re.findall(r'name="seen" value="([0-9a-f]+)"', preview.text)
    fleet.central.push("n1", CONFIG.replace(WEB, WEB + "n1") + "# by somebody else\n")
    again = devops.send("/rollouts", seen=seen, **MAX_30)
    assert (again.status_code, "has changed since you looked" in shown(again)) == (409, True)
    (fresh,) = re.findall(r'name="seen" value="([0-9a-f]+)"', again.text)
    assert devops.send("/rollouts", seen=fresh, **MAX_30).status_code == 303


def test_a_roll_out_is_halted_and_goes_on(fleet: Fleet, devops: Reader) -> None:
    start = devops.send("/rollouts", **MAX_30)
    address = start.headers["Location"].partition("?")[0]
    text = devops.done(address + "/halt")
    assert "halted by devops@pages.example" in text
    assert devops.send(address + "/halt").status_code == 409
    assert "The roll-out goes on." in devops.done(address + "/resume")
    del fleet


def test_of_many_nodes_those_to_look_at_come_first(central: RunningCentral, user: Reader) -> None:
    central.execute(
        "INSERT INTO nodes (name, region) SELECT 'm' || to_char(i, 'FM000'), 'r1' "
        "FROM generate_series(1, 250) AS i"
    )
    central.execute(
        "WITH made AS (INSERT INTO rollouts (edits, batch, allow_shrink, deadline_seconds, stages, "
        "state) VALUES ('[]', 1, 0, 60, 250, 'halted') RETURNING id) INSERT INTO rollout_nodes "
        "(rollout_id, node_id, stage, base_hash, config_hash, state) SELECT made.id, n.id, "
        "row_number() OVER (ORDER BY n.name), 'a', 'b', "
        "CASE WHEN n.name = 'm250' THEN 'failed' ELSE 'applied' END FROM made, nodes n"
    )
    (row,) = central.rows("SELECT id FROM rollouts")
    named = r'<th scope="row"><a href="/nodes/(m\d+)"'
    shown_first = re.findall(named, user.open(f"/rollouts/{row['id']}").text)
    assert (shown_first[:2], len(shown_first)) == (["m250", "m001"], 200)
    assert len(re.findall(named, user.open(f"/rollouts/{row['id']}?every=yes").text)) == 250


BAD = [
    ({"edits": "", "which": "all"}, 422, "Edits: write at least one"),
    ({"edits": "x=1\nnonsense", "which": "all"}, 422, "Edits: Line 2: 'nonsense'"),
    ({"edits": "pools.*.limits.max=-1", "which": "all"}, 422, "n1: "),
    ({"edits": "pools.*.limits.max=30", "which": "nodes", "nodes": ""}, 422, "which nodes"),
    ({"edits": "pools.*.limits.max=30", "which": "nodes", "nodes": "n1 n9"}, 422, "n9"),
    ({"edits": "pools.*.limits.max=30", "which": "all", "batch": "x"}, 422, "Nodes at a time"),
    ({"edits": "pools.*.limits.max=30", "which": "all", "batch": "0"}, 422, "batch"),
]


@pytest.mark.parametrize(("fields", "status", "why"), BAD)
def test_a_refused_patch_keeps_what_was_typed(
    fleet: Fleet, devops: Reader, fields: dict[str, str], status: int, why: str
) -> None:
    answer = devops.send("/rollouts/preview", **fields)
    assert (answer.status_code, why in shown(answer)) == (status, True), shown(answer)
    assert f">{fields['edits'].replace(chr(39), '&#39;')}</textarea>" in answer.text
    assert fleet.maxima() == [20, 20]


def test_a_user_sees_roll_outs_but_no_form(fleet: Fleet, devops: Reader, user: Reader) -> None:
    address = devops.send("/rollouts", **MAX_30).headers["Location"].partition("?")[0]
    assert "Roll-out" in shown(user.open("/rollouts"))
    for path in ("/rollouts", address):
        assert "<form" not in user.open(path).text.partition("<main")[2]
    assert user.send("/rollouts/preview", **MAX_30).status_code == 403
    del fleet


def test_edits_are_shown_as_text(fleet: Fleet, devops: Reader) -> None:
    hostile = "pools.*.description=<script>alert(1)</script>"
    answer = devops.send("/rollouts/preview", edits=hostile, which="all")
    assert "<script>alert" not in answer.text
    assert "&lt;script&gt;alert" in answer.text
    del fleet
