"""The watchdog is fed by completed ticks, and knows how far apart they are."""

import socket
from dataclasses import replace
from pathlib import Path

import pytest

from agent.clock import ScaledClock
from agent.loop import Loop
from agent.systemd_notify import Notifier
from tests.agent.rig import Rig, config_yaml, pool_yaml, wall_now


def told(listener: socket.socket) -> list[str]:
    """Every message that has arrived."""
    messages = []
    listener.setblocking(False)
    while True:
        try:
            messages.append(listener.recv(4096).decode())
        except BlockingIOError:
            return messages


@pytest.mark.parametrize(
    ("poll", "expected"),
    [("30s", []), ("31s", ["WATCHDOG_USEC=93000000"]), ("1h", ["WATCHDOG_USEC=10800000000"])],
)
def test_ticks_far_apart_lengthen_the_watchdog_before_it_is_fed(
    rig: Rig, tmp_path: Path, poll: str, expected: list[str]
) -> None:
    rig.add_pool("web", size=2, demand=90)
    yaml = config_yaml(pool_yaml("web")).replace("poll_interval: 30s", f"poll_interval: {poll}")
    agent = rig.agent(yaml)
    agent.settings = replace(agent.settings, watchdog_seconds=90.0)
    address = str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(address)
        clock = ScaledClock(wall_now, rig.surroundings().monotonic)
        loop = Loop(agent, clock, Notifier(address))
        loop._tick()
        loop._tick()
        messages = [text for text in told(listener) if text.startswith("WATCHDOG")]
    agent.close()
    assert messages == [*expected, "WATCHDOG=1", "WATCHDOG=1"]
