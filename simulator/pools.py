"""The state machine of one instance pool, driven by simulated time.

States and meanings: SDK 2.189 core/models/instance_pool.py; Oracle, "Using Instance
Configurations and Instance Pools" (Compute/Concepts/instancemanagement.htm).
"""

import heapq
from bisect import bisect_right
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from simulator.lifecycle import PreTermination, Snapshot, Timing
from simulator.members import Domain, Member, choose_victims, place
from simulator.names import ocid, unique
from simulator.work_requests import OUT_OF_CAPACITY, Failure, WorkRequest

_Action = Callable[[datetime], None]


@dataclass
class Pool:
    """One instance pool. Call `advance(now)` before anything else at an instant."""

    id: str
    name: str
    compartment_id: str
    region: str
    created_at: datetime
    domains: list[Domain]
    timing: Timing = field(default_factory=Timing)
    instance_configuration_id: str = ""
    freeform_tags: dict[str, str] = field(default_factory=dict)
    lifecycle_management: PreTermination | None = None
    size: int = 0
    host_capacity: int | None = None
    capacity_failure: Failure = OUT_OF_CAPACITY
    members: list[Member] = field(default_factory=list)
    work_requests: list[WorkRequest] = field(default_factory=list)
    history: list[Snapshot] = field(default_factory=list)
    _state: str = "RUNNING"
    _shortage: int = 0
    _attempt: int = 0
    _events: list[tuple[datetime, int, _Action]] = field(default_factory=list)
    _scheduled: int = 0
    _launched: int = 0

    def start_with(self, size: int, *, launching: bool = False) -> None:
        """Come into being with members that run already, or that are still provisioned."""
        self.size = size
        if launching and size:
            self._state = "PROVISIONING"
            self._launch(size, self.created_at)
        else:
            for _ in range(size):
                self._add_member(self.created_at, self.created_at)
        self._record(self.created_at)

    def advance(self, now: datetime) -> None:
        """Let everything happen that was due by `now`, each thing at its own instant."""
        while self._events and self._events[0][0] <= now:
            at, _, action = heapq.heappop(self._events)
            action(at)
            self._record(at)

    def seen(self, at: datetime) -> Snapshot | None:
        """Return what the pool looked like at an instant; None before it existed."""
        index = bisect_right(self.history, at, key=lambda snapshot: snapshot.at)
        return self.history[index - 1] if index else None

    @property
    def current(self) -> Snapshot:
        """What the pool looks like now."""
        return self.history[-1]

    def resize(self, size: int, now: datetime) -> WorkRequest | None:
        """Change the wanted count; return the work request, None when nothing is to do.

        A STOPPED pool configures instances without launching them. (Oracle, "Updating the Size
        of an Instance Pool".)
        """
        self.size = size
        self._attempt += 1
        self._shortage = 0
        counted = self.counted(now)
        difference = size - len(counted)
        request: WorkRequest | None = None
        if difference < 0:
            request = self._terminate(choose_victims(counted, -difference), now)
        elif difference > 0 and self._state == "STOPPED":
            for _ in range(difference):
                self._add_member(now, None)
        elif difference > 0:
            request = self._launch(difference, now)
        self._record(now, changed=True)
        return request

    def counted(self, at: datetime) -> list[Member]:
        """Return the members that count towards the size: all that are not going away."""
        return [m for m in self.members if m.state(at) not in ("Terminating", "Terminated")]

    def lose(self, member: Member, now: datetime) -> None:
        """Somebody terminates a member directly: the pool heals, its size is unchanged."""
        self._terminate([member], now)
        self._launch(1, now)
        self._record(now, changed=True)

    def detach(
        self, member: Member, now: datetime, *, decrement: bool, terminate: bool
    ) -> WorkRequest:
        """Let one member go; without `decrement` the pool launches another.

        One that is not terminated lives on outside the pool.
        """
        if terminate:
            request = self._terminate([member], now)
        else:
            member.is_detached = True
            member.terminate(now, now, now)
            request = self._request("DetachInstanceInPool", now, now)
        if decrement:
            self.size -= 1
        else:
            self._launch(1, now)
        self._record(now, changed=True)
        return request

    def proceed(self, member: Member, now: datetime) -> None:
        """Let a member go that waits for the pre-termination hook."""
        done = now + self.timing.terminate
        member.released_at, member.terminated_at = now, done
        self._schedule(done, self._settle)
        self._record(now, changed=True)

    def restart(self, now: datetime) -> None:
        """Power every member off and on again: STARTING, then RUNNING."""
        self.stop(now)
        self.start(now)

    def stop(self, now: datetime) -> None:
        """Power the whole pool off."""
        self._state = "STOPPED"
        self._attempt += 1
        self._shortage = 0
        for member in self.counted(now):
            member.power_off(now)
        self._record(now, changed=True)

    def start(self, now: datetime) -> None:
        """Power the pool on again: STARTING, then RUNNING after the launch time.

        What the size still lacks is launched along with it.
        """
        self._state = "STARTING"
        running_at = now + self.timing.launch
        for member in self.counted(now):
            member.power_on(running_at)
        self._schedule(running_at, self._settle)
        lacking = self.size - len(self.counted(now))
        if lacking > 0:
            self._launch(lacking, now)
        self._record(now, changed=True)

    def terminate(self, now: datetime) -> None:
        """Terminate the pool with all its members."""
        self._state, self.size, self._shortage = "TERMINATING", 0, 0
        self._terminate(self.counted(now), now)
        self._schedule(now + self.timing.terminate, self._end)
        self._record(now, changed=True)

    def listed(self, now: datetime) -> bool:
        """Whether the pool still exists for OCI; a TERMINATED one is listed for a while."""
        gone = self.current.state == "TERMINATED"
        return not gone or now < self.current.at + self.timing.terminated_listed

    def _launch(self, count: int, now: datetime, give_up_at: datetime | None = None) -> WorkRequest:
        room = count
        if self.host_capacity is not None:
            room = min(count, max(0, self.host_capacity - len(self.counted(now))))
        done = now + self.timing.launch
        for index in range(room):
            done = now + self.timing.launch * (1 + index // self.timing.batch)
            self._add_member(now, done)
            self._schedule(done, self._settle)
        self._shortage = count - room
        if not self._shortage:
            return self._request("LaunchInstancesInPool", now, done)
        self._await_capacity(now, give_up_at or now + self.timing.give_up)
        return self._request("LaunchInstancesInPool", now, done, self.capacity_failure)

    def _await_capacity(self, now: datetime, give_up_at: datetime) -> None:
        attempt = self._attempt

        def retry(at: datetime) -> None:
            if attempt != self._attempt or not self._shortage:
                return
            if at >= give_up_at:
                self.size, self._shortage = self.size - self._shortage, 0
                self._settle(at)
            elif self.host_capacity is None or self.host_capacity > len(self.counted(at)):
                self._attempt += 1
                self._launch(self._shortage, at, give_up_at)
            else:
                self._schedule(min(at + self.timing.retry, give_up_at), retry)

        self._schedule(min(now + self.timing.retry, give_up_at), retry)

    def _terminate(self, victims: list[Member], now: datetime) -> WorkRequest:
        hook = self.lifecycle_management
        released = now + (hook.timeout if hook else timedelta(0))
        done = released + self.timing.terminate
        for member in victims:
            member.terminate(now, done, released)
        self._schedule(done, self._settle)
        return self._request("TerminateInstancesInPool", now, done)

    def _add_member(self, now: datetime, up_from: datetime | None) -> None:
        self._launched += 1
        domain = place(self.domains, self.counted(now))
        suffix = unique(self.id, self._launched)[:5]
        self.members.append(
            Member(
                id=ocid("instance", self.region, self.id, self._launched),
                display_name=f"inst-{suffix}-{self.name}",
                domain=domain,
                created_at=now,
                up_from=up_from,
            )
        )

    def _request(
        self, operation: str, now: datetime, done: datetime, failure: Failure | None = None
    ) -> WorkRequest:
        number = len(self.work_requests)
        identifier = ocid("coreservicesworkrequest", self.region, self.id, number)
        request = WorkRequest(
            identifier, operation, self.compartment_id, self.id, now, done, failure
        )
        self.work_requests.append(request)
        return request

    def _settle(self, at: datetime) -> None:
        waiting = any(m.state(at) in ("Provisioning", "Terminating") for m in self.members)
        if self._state in ("PROVISIONING", "STARTING") and not waiting:
            self._state = "RUNNING"

    def _end(self, _: datetime) -> None:
        self._state = "TERMINATED"

    def _reported_state(self, at: datetime) -> str:
        if self._state != "RUNNING":
            return self._state
        busy = any(m.state(at) in ("Provisioning", "Terminating") for m in self.members)
        return "SCALING" if busy or self._shortage else "RUNNING"

    def _schedule(self, at: datetime, action: _Action) -> None:
        self._scheduled += 1
        heapq.heappush(self._events, (at, self._scheduled, action))

    def _record(self, at: datetime, *, changed: bool = False) -> None:
        running = sum(m.state(at) == "Running" for m in self.members)
        state = self._reported_state(at)
        version = len(self.history)
        if self.history:
            last = self.history[-1]
            same = (last.size, last.running, last.state) == (self.size, running, state)
            if same and not changed:
                return
        self.history.append(Snapshot(at, self.size, running, state, version))
