"""What an agent stands in, passed in once: time, chance and threads; OCI, metrics and central."""

import random
import threading
from collections.abc import Callable
from dataclasses import dataclass, field

from agent.act import Outcome, OwnInstance
from agent.clock import Clock, Monotonic, Wall
from agent.heartbeat import Central
from agent.phase import Phase
from agent.pools import Pools
from agent.sources.model import MetricSource
from shared.engine.model import Decision
from shared.engine.plan import Plan

_THREADS = 16

OnDecision = Callable[[Plan, Decision, Outcome | None], None]


@dataclass(frozen=True)
class Surroundings:
    """Time, chance and threads, passed in once.

    Attributes:
        clock: the time that decisions follow.
        wall: the time that the network follows.
        threads: how many pools are worked on side by side; 0 runs everything in the caller's.
        dry: observe and decide only.
    """

    clock: Clock
    wall: Wall
    monotonic: Monotonic
    stop: threading.Event = field(default_factory=threading.Event)
    jitter: random.Random = field(default_factory=random.SystemRandom)
    threads: int = _THREADS
    dry: bool = False
    on_decision: OnDecision = lambda plan, decision, outcome: None  # noqa: ARG005 # nobody listens


@dataclass(frozen=True)
class Ports:
    """What stands outside: OCI and central. Fakes go here.

    `own_instance` returns the OCID of the instance that this is; None anywhere else. `phase` is
    shared with what reads metrics; `tenancy` returns the OCID of the tenancy that is read.
    """

    pools: Pools
    source: MetricSource
    central: Central | None
    own_instance: OwnInstance = lambda: None
    phase: Phase | None = None
    tenancy: Callable[[], str | None] = lambda: None
