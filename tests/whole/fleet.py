"""A node of a real central: an agent whose central may be stopped and started again."""

import contextlib
import sqlite3
from dataclasses import dataclass, field

import httpx

from agent.central_client import CentralClient, CentralError
from agent.service import Agent
from shared.wire import Heartbeat, HeartbeatAnswer
from tests import postgres
from tests.agent.rig import Decisions, Rig, wall_now
from tests.central_server import RunningCentral, running_central

NODE = "node-1"


class Reached:
    """The agent's way to central: real HTTP, to wherever central listens at the moment."""

    def __init__(self, rig: Rig) -> None:
        self._rig = rig
        self._client: CentralClient | None = None
        self._http = httpx.Client(verify=False)
        self.key = ""

    def at(self, url: str) -> None:
        """Central listens here now."""
        monotonic = self._rig.surroundings().monotonic
        self._client = CentralClient(self._http, url, lambda: self.key, monotonic, wall_now)

    def post(self, beat: Heartbeat) -> HeartbeatAnswer:
        """Send it to the address where central was last seen."""
        assert self._client is not None
        return self._client.post(beat)

    def close(self) -> None:
        """Close the connections."""
        self._http.close()


@dataclass
class Fleet:
    """One node, one central, one database."""

    rig: Rig
    database_url: str
    reached: Reached
    decisions: Decisions
    agent: Agent
    central: RunningCentral | None = None
    _stack: contextlib.ExitStack = field(default_factory=contextlib.ExitStack)

    @classmethod
    def on(cls, rig: Rig, cluster: postgres.Cluster, yaml: str) -> "Fleet":
        """Start central, make the node, push its configuration, start its agent."""
        decisions, reached = Decisions(rig.world), Reached(rig)
        agent = rig.agent(central=reached, on_decision=decisions)
        fleet = cls(rig, cluster.new_database(), reached, decisions, agent)
        central = fleet.start_central()
        reached.key = central.create_node(NODE)
        central.push(NODE, yaml)
        fleet.beat()
        return fleet

    def start_central(self) -> RunningCentral:
        """Start central on the same database, at a new address."""
        self.central = self._stack.enter_context(running_central(self.database_url))
        self.reached.at(self.central.url)
        return self.central

    def stop_central(self) -> None:
        """Stop central; its address refuses connections from now on."""
        self._stack.close()
        self.central = None

    def beat(self) -> HeartbeatAnswer | None:
        """One heartbeat; None when central cannot be reached."""
        try:
            return self.agent.beat()
        except CentralError:
            return None

    def run(self, minutes: float) -> None:
        """Let simulated time pass: a tick and a heartbeat at every poll."""
        for _ in range(round(minutes * 2)):
            self.rig.world.advance(30)
            self.agent.tick()
            self.agent.report_node()
            self.beat()

    def drain(self) -> None:
        """Send what still waits."""
        assert self.agent.beats is not None
        for _ in range(100):
            self.beat()
            if not self.agent.beats.has_more():
                return
        raise AssertionError("the outbox did not empty")

    def written(self) -> int:
        """How many records the agent has ever put into its outbox."""
        path = self.rig.home / "state" / "outbox.sqlite3"
        with contextlib.closing(sqlite3.connect(path)) as outbox:
            return int(outbox.execute("SELECT seq FROM sqlite_sequence").fetchone()[0])

    def close(self) -> None:
        """Let go of everything."""
        self.agent.close()
        self.reached.close()
        self.stop_central()
