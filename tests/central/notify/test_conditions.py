"""What is wrong is told once, by every channel, and told again when it is over."""

from collections.abc import Iterator
from contextlib import ExitStack
from datetime import timedelta
from typing import Any

import pytest

from central.notify.model import ChannelError, Digest, NotifySettings
from central.notify.sender import send_due
from central.notify.watch import look, watch
from tests.central_server import RunningCentral
from tests.heartbeats import CONFIG, analytics, beat

BELOW = {"code": "on_target", "active_instances": 3}
BOUNDS = {"floor": 4, "ceiling": 20}


class Kept:
    """A channel that keeps what it is given, or fails."""

    def __init__(self, name: str = "webhook") -> None:
        self.name = name
        self.digests: list[Digest] = []
        self.fails = False

    def send(self, digest: Digest) -> None:
        if self.fails:
            raise ChannelError("no answer (ConnectError)")
        self.digests.append(digest)

    @property
    def lines(self) -> list[tuple[str, str, str]]:
        """State, kind and subject of every message that arrived."""
        found = [message for digest in self.digests for message in digest.messages]
        return [(one.state, one.kind, one.subject) for one in found]


class Place:
    """A central whose own telling is stopped, a node with a pool, and somebody to tell."""

    def __init__(self, central: RunningCentral, stack: ExitStack) -> None:
        central.whole._jobs["notices"].stop()  # each pass is made by the test
        central.whole._jobs["chores"].stop()  # and nobody is declared offline but by it
        self.central = central
        self.channel = Kept()
        self._agent = stack.enter_context(central.client(central.create_node("n1")))
        central.push("n1", CONFIG)
        self._count = 0

    def says(self, code: str, event: str | None = None, **fields: Any) -> None:
        """The pool's row of this minute; older ones are of the past."""
        self.central.execute(
            "UPDATE pool_analytics SET received_at = received_at - interval '4 min'"
        )
        self._count += 1
        decision = {"reasons": [{"code": code, "text": "because"}], "bounds": BOUNDS}
        record = analytics(
            self._count,
            scaling_event=event,
            scaling_reason="because",
            decision=decision,
            **{"active_instances": 4, **fields},
        )
        answer = self._agent.post("/v1/heartbeat", json=beat(self._count, record))
        assert answer.json()["rejected"] == []

    def look(self, minutes: float = 0, *channels: Kept) -> list[tuple[str, str, str]]:
        """Let time pass, look, send, and return everything that ever arrived."""
        for column in ("since", "last_seen_at"):
            self.central.execute(
                f"UPDATE conditions SET {column} = {column} - make_interval(secs => :s)",
                s=minutes * 60,
            )
        told = NotifySettings(channels or (self.channel,))
        watch(self.central.whole.engine, told)
        send_due(self.central.whole.engine, told, pause_seconds=0)
        return (channels or (self.channel,))[0].lines


@pytest.fixture
def place(central: RunningCentral) -> Iterator[Place]:
    with ExitStack() as stack:
        yield Place(central, stack)


NODES: dict[str, tuple[str, str, str]] = {
    "an offline node": (
        "UPDATE nodes SET status = 'OFFLINE'",
        "UPDATE nodes SET status = 'ACTIVE'",
        "node_offline",
    ),
    "a refused configuration": (
        "UPDATE node_state SET failed_hash = active_hash, apply_status = 'failed'",
        "UPDATE node_state SET failed_hash = NULL, apply_status = 'applied'",
        "config_rejected",
    ),
    "two agents": (
        "UPDATE node_state SET duplicate_since = now()",
        "UPDATE node_state SET duplicate_since = NULL",
        "duplicate_agent",
    ),
    "a fleet disruption": (
        "UPDATE central_state SET disruption_since = now()",
        "UPDATE central_state SET disruption_since = NULL",
        "fleet_disruption",
    ),
}


@pytest.mark.parametrize("name", NODES)
def test_what_is_wrong_with_nodes_is_told_once_and_when_it_is_over(place: Place, name: str) -> None:
    begins, ends, kind = NODES[name]
    subject = "fleet" if kind == "fleet_disruption" else "n1"
    place.central.execute(begins)
    assert place.look() == [("firing", kind, subject)]
    assert len(place.look(10)) == 1
    place.central.execute(ends)
    assert len(place.look(1)) == 1, "it may come back"
    assert place.look(1.1) == [("firing", kind, subject), ("resolved", kind, subject)]
    assert place.central.rows("SELECT * FROM conditions") == []


def test_a_node_in_maintenance_may_be_silent(place: Place) -> None:
    place.central.execute("UPDATE nodes SET status = 'OFFLINE'")
    place.central.execute("UPDATE node_state SET maintenance = true")
    assert place.look() == []


POOLS: dict[str, tuple[dict[str, Any], float, str]] = {
    "capacity, by its event": ({"code": "at_floor", "event": "CAPACITY_ERROR"}, 0, "capacity"),
    "capacity, while it backs off": ({"code": "blocked_capacity"}, 0, "capacity"),
    "stuck": ({"code": "pool_stuck"}, 0, "stuck"),
    "contended": ({"code": "observe", "event": "CONTENDED"}, 0, "contended"),
    "at its limit for long": ({"code": "at_ceiling"}, 15, "at_limit"),
    "below its floor for long": (BELOW, 15, "floor_unattainable"),
}


@pytest.mark.parametrize("name", POOLS)
def test_what_is_wrong_with_pools_is_told_once_and_when_it_is_over(place: Place, name: str) -> None:
    row, after, kind = POOLS[name]
    place.says(**row)
    if after:
        assert place.look() == []
        place.says(**row)
        assert place.look(after - 1) == []
        place.says(**row)
    assert place.look(1 if after else 0) == [("firing", kind, "n1/web")]
    place.says(**row)
    assert len(place.look(1)) == 1
    place.says("on_target")
    assert place.look(2.1)[1:] == [("resolved", kind, "n1/web")]


def test_what_is_well_is_not_told(place: Place) -> None:
    place.says("on_target")
    place.says("scale_out", "SCALE_OUT", current_instances=20)
    place.says("at_ceiling", active_instances=1, is_active=False)
    assert place.look() == []
    assert place.look(60) == []


def test_a_pool_of_which_nothing_is_heard_is_as_it_was(place: Place) -> None:
    place.says("pool_stuck")
    place.look()
    place.central.execute("UPDATE pool_analytics SET received_at = received_at - interval '1 hour'")
    assert len(place.look(60)) == 1
    place.central.push("n1", "version: 1\npools: []\n")
    assert place.look(3)[1:] == [("resolved", "stuck", "n1/web")]


def test_a_short_while_at_the_limit_is_nobodys_business(place: Place) -> None:
    place.says("at_ceiling")
    place.look()
    place.says("on_target")
    assert place.look(3) == []
    assert place.look(20) == []


def test_every_channel_is_told_and_one_that_fails_is_tried_again(place: Place) -> None:
    good, bad = Kept("webhook"), Kept("mail")
    bad.fails = True
    place.central.execute("UPDATE nodes SET status = 'OFFLINE'")
    place.look(0, good, bad)
    place.look(0, good, bad)
    assert (len(good.lines), len(bad.lines)) == (1, 0)
    (waiting,) = place.central.rows("SELECT * FROM notifications WHERE sent_at IS NULL")
    assert (waiting["channel"], waiting["attempts"]) == ("mail", 1)
    assert waiting["error"] == "no answer (ConnectError)"
    bad.fails = False
    place.central.execute("UPDATE notifications SET next_attempt_at = now()")
    place.look(0, good, bad)
    assert (len(good.lines), len(bad.lines)) == (1, 1)


def test_many_at_once_are_one_digest_and_the_next_waits_a_minute(place: Place) -> None:
    for number in range(60):
        place.central.create_node(f"m{number}")
    place.central.execute("UPDATE nodes SET status = 'OFFLINE'")
    place.look()
    (digest,) = place.channel.digests
    assert digest.subject == "61 new: m0 OFFLINE and 60 more" or "61 new: " in digest.subject
    assert digest.lines[-1] == "… and 11 more"
    assert digest.as_json()["omitted"] == 11
    place.central.execute("UPDATE node_state SET duplicate_since = now() WHERE node_id = 1")
    told = NotifySettings((place.channel,))
    engine = place.central.whole.engine
    watch(engine, told)
    assert send_due(engine, told) == {}, "within the same minute"
    place.central.execute("UPDATE notifications SET sent_at = sent_at - interval '61 s'")
    assert send_due(engine, told) == {"webhook": True}
    assert len(place.channel.digests) == 2


def test_a_claim_that_nobody_finished_is_taken_up_later(place: Place) -> None:
    place.central.execute("UPDATE nodes SET status = 'OFFLINE'")
    with place.central.whole.engine.begin() as connection:
        look(connection, ["webhook"], timedelta(minutes=15))
    place.central.execute(
        "UPDATE notifications SET attempts = 1, next_attempt_at = now() + '1 min'"
    )
    assert place.look() == []
    place.central.execute("UPDATE notifications SET next_attempt_at = now() - interval '1 s'")
    assert len(place.look()) == 1


def test_without_a_channel_nothing_is_queued_and_a_new_one_hears_of_it(place: Place) -> None:
    place.central.execute("UPDATE nodes SET status = 'OFFLINE'")
    watch(place.central.whole.engine, NotifySettings())
    assert place.central.rows("SELECT * FROM notifications") == []
    assert len(place.look()) == 1


def test_what_is_wrong_can_be_asked_for(place: Place) -> None:
    place.says("pool_stuck")
    place.central.execute("UPDATE nodes SET status = 'OFFLINE'")
    place.look()
    reader = place.central.operator("USER")
    every = reader.get("/v1/conditions").json()
    assert {(one["kind"], one["subject"], one["node"]) for one in every} == {
        ("node_offline", "n1", "n1"),
        ("stuck", "n1/web", "n1"),
    }
    assert all(one["told_at"] for one in every)
    older = reader.get("/v1/conditions", params={"before": every[0]["id"]}).json()
    assert older == every[1:]
    assert "node_offline" in reader.get("/v1/conditions", params={"format": "csv"}).text
