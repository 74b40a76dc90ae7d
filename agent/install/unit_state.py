"""What systemd says about the unit, and whether a restart of it went well."""

from collections.abc import Callable
from dataclasses import dataclass

from agent.install.layout import UNIT
from agent.install.pythons import Probe

_FIELDS = "ActiveState,SubState,InvocationID,StatusText"


@dataclass(frozen=True, slots=True)
class UnitState:
    """The unit at one moment.

    Attributes:
        active: active, activating, reloading, inactive, failed …; empty when nobody answers.
        sub: the finer state; `auto-restart` after a crash.
        invocation: a new one for each start.
        text: the line that the agent itself gives.
    """

    active: str = ""
    sub: str = ""
    invocation: str = ""
    text: str = ""

    @property
    def is_started(self) -> bool:
        """Whether it runs; it may still wait for its first configuration."""
        return self.active in {"active", "activating", "reloading"}

    def __str__(self) -> str:
        return f"{UNIT} is {self.active or 'unknown'}{f': {self.text}' if self.text else ''}"


def read_state(probe: Probe) -> UnitState:
    """Ask systemd."""
    shown = probe(("systemctl", "show", f"--property={_FIELDS}", UNIT)) or ""
    fields = dict(line.partition("=")[::2] for line in shown.splitlines())
    names = ("ActiveState", "SubState", "InvocationID", "StatusText")
    return UnitState(*(fields.get(name, "") for name in names))


def came_up(
    before: UnitState,
    look: Callable[[], UnitState],
    wait: Callable[[float], object],
    patience: float,
) -> bool:
    """Whether a start after `before` becomes active; False at once when it crashes.

    Args:
        before: the state before the restart was asked for.
        look: reads the state.
        wait: sleeps so many seconds.
        patience: seconds after which a start that neither succeeds nor crashes has failed.
    """
    pause = 0.5
    for _ in range(int(patience / pause)):
        now = look()
        if now.invocation != before.invocation:
            if now.active == "active":
                return True
            if now.sub == "auto-restart" or now.active in {"failed", "inactive"}:
                return False
        wait(pause)
    return False
