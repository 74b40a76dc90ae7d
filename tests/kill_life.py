"""One life of an agent in the kill loop: it works until it is killed at a chosen instant."""

import contextlib
import os
import random
import signal
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx

from agent import files, journal, outbox, state
from agent.act import Actor
from agent.central_client import CentralClient, CentralError
from agent.clock import parse_instant
from agent.oci_auth import OciAuth
from agent.oci_client import Credentials, Means, OciClient
from agent.oci_pools import OciPools
from agent.patience import Pace
from agent.rehearsal import ClockSpec
from agent.service import Agent
from agent.settings import Settings
from agent.sources.oci_monitoring import OciMonitoring
from agent.surroundings import Ports, Surroundings
from agent.throttle import TokenBucket


@dataclass(frozen=True)
class Place:
    """Where everything is."""

    simulator: str
    central: str
    oci_config: Path
    home: Path


class Countdown:
    """Kills this process, as SIGKILL does, when a number of steps has been made."""

    def __init__(self, steps: int) -> None:
        self._left = steps

    def step(self) -> None:
        """Make a step; it may be the last."""
        self._left -= 1
        if self._left == 0:
            os.kill(os.getpid(), signal.SIGKILL)

    def around(self, place: Any, name: str) -> None:
        """Count a step before and one after every call of a function."""
        real = getattr(place, name)

        def counted(*words: Any, **more: Any) -> Any:
            self.step()
            result = real(*words, **more)
            self.step()
            return result

        setattr(place, name, counted)


class SimulatedTime:
    """The simulator's clock, read over HTTP and moved by this process alone."""

    def __init__(self, url: str) -> None:
        self._http = httpx.Client(trust_env=False, timeout=10)
        self._url = f"{url}/admin/clock"
        self._now = parse_instant(self._http.get(self._url).json()["now"])

    def now(self) -> datetime:
        """Return the instant of the last step."""
        return self._now

    def elapsed(self) -> float:
        """Return seconds of simulated time."""
        return self._now.timestamp()

    def advance(self, seconds: float) -> None:
        """Let time pass in the whole tenancy."""
        answer = self._http.post(self._url, json={"advance_seconds": seconds})
        self._now = parse_instant(answer.json()["now"])


def build(place: Place, clock: SimulatedTime) -> Agent:
    """Wire an agent as its composition root does, without threads and with patience for nothing."""
    settings = Settings(
        state_dir=place.home / "state",
        oci_auth=OciAuth("config_file", str(place.oci_config)),
        oci_endpoint=place.simulator,
        clock=ClockSpec(scale=1000),
        guard_file=place.home / "guard.yaml",
    )
    stop = threading.Event()
    stop.wait = lambda timeout=None: False  # type: ignore[method-assign] # retries sleep no time
    around = Surroundings(clock, wall, clock.elapsed, stop=stop, jitter=random.Random(1), threads=0)
    fast = TokenBucket(1e9, 1000, time.monotonic, lambda _: False)
    means = Means(
        Credentials(settings.oci_auth, wall, time.monotonic),
        place.simulator,
        wall,
        Pace(time.monotonic, lambda _: False, random.Random(1), metrics=fast, others=fast),
    )
    client = OciClient(means)
    http = httpx.Client(trust_env=False)
    central = CentralClient(http, place.central, lambda: "key", time.monotonic, wall)
    return Agent(settings, around, Ports(OciPools(client), OciMonitoring(client), central))


def wall() -> datetime:
    return datetime.now(UTC)


def live(place: Place, steps: int, ticks: int) -> None:
    """Tick and beat; the countdown ends it somewhere, unless there are fewer steps than that."""
    countdown = Countdown(steps)
    for where, name in (
        (os, "fsync"),
        (os, "link"),
        (Path, "replace"),
        (files, "flush_directory"),
        (outbox.Outbox, "put"),
        (outbox.Outbox, "acknowledge"),
        (journal.Journal, "open"),
        (journal.Journal, "close"),
        (state.StateStore, "save"),
        (Actor, "close"),
        (OciPools, "resize"),
        (CentralClient, "post"),
    ):
        countdown.around(where, name)
    clock = SimulatedTime(place.simulator)
    agent = build(place, clock)
    agent.start()
    work(agent, clock, ticks)
    agent.close()


def work(
    agent: Agent, clock: SimulatedTime, ticks: int, between: Callable[[], None] = lambda: None
) -> None:
    """Make ticks and heartbeats, as the loop does."""
    for _ in range(ticks):
        clock.advance(30)
        agent.tick()
        with contextlib.suppress(CentralError):
            agent.beat()
        between()
