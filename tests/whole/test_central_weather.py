"""Central up, down, slow and flapping: the same trace of decisions, and every record once."""

import contextlib
from pathlib import Path

import pytest

from agent.central_client import CentralError
from shared.wire import Heartbeat, HeartbeatAnswer
from simulator.keys import ApiKey
from tests.agent.rig import Decisions, Rig, config_yaml, pool_yaml, rig_on
from tests.fakes import FakeCentral

SCHEDULE = (
    "schedules:\n"
    '  - {name: lunch, start: "12:20", end: "12:26", target_instances: 9, mode: at_least}\n'
)
YAML = config_yaml(pool_yaml("web", cooldown="{scale_out: 1m, scale_in: 2m}"), more=SCHEDULE)
LOAD = {0: 90, 6: 390, 12: 700, 18: 80}
OUTAGE = range(10, 60)


class Weather(FakeCentral):
    """A central that answers, or does not, as its sky has it."""

    def __init__(self, sky: str) -> None:
        super().__init__()
        self.sky = sky
        self.attempts = 0

    def post(self, beat: Heartbeat) -> HeartbeatAnswer:
        self.attempts += 1
        inside = self.attempts in OUTAGE
        if inside and (self.sky == "down" or (self.sky == "flapping" and self.attempts % 3)):
            raise CentralError("central does not answer: refused")
        if inside and self.sky == "slow":
            super().post(beat)  # stored; the answer comes after the deadline, so it counts as lost
            raise CentralError("central's answer took longer than 15 s; it was discarded")
        return super().post(beat)


def play(rig: Rig, sky: str) -> tuple[Decisions, Weather]:
    rig.add_pool("web", size=2, demand=LOAD[0])
    central, seen = Weather(sky), Decisions(rig.world)
    agent = rig.agent(YAML, central=central, on_decision=seen)
    for minute in range(40):
        if minute in LOAD:
            rig.demand("web", LOAD[minute])
        for _ in range(2):
            rig.world.advance(30)
            agent.tick()
            with contextlib.suppress(CentralError):
                agent.beat()
    while agent.outbox.pending():
        with contextlib.suppress(CentralError):
            agent.beat()
    assert central.attempts > OUTAGE.stop
    agent.close()
    return seen, central


@pytest.mark.slow
@pytest.mark.fault(1, 3, 24)
def test_the_trace_of_decisions_is_the_same_under_every_sky(tmp_path: Path, key: ApiKey) -> None:
    traces = {}
    for sky in ("up", "down", "slow", "flapping"):
        home = tmp_path / sky
        home.mkdir()
        with rig_on(key, home) as rig:
            seen, central = play(rig, sky)
        traces[sky] = seen.rows
        sequences = sorted(sequence for _, sequence in central.stored)
        assert sequences == list(range(1, len(sequences) + 1)), f"{sky}: a record is missing"
    sizes = {size for _, _, size, _ in traces["up"]}
    assert len(sizes) > 3
    assert all(trace == traces["up"] for trace in traces.values())
