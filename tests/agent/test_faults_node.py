"""What the agent does when its own machine misbehaves. Numbers are those of docs/faults.md."""

import errno
import json
import os
import signal
import socket
import subprocess
import sys
import threading
from collections import Counter
from dataclasses import replace
from datetime import timedelta
from email.utils import format_datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from agent.checking import check_all
from agent.commands import agent as commands
from agent.errors import CallError
from agent.files import seal
from agent.last_words import forget, leave, take
from agent.oci_client import OciClient
from agent.oci_pools import OciPools
from agent.patience import BUDGET_SECONDS
from agent.service import Agent
from agent.surroundings import Ports, Surroundings
from simulator.faults import Rule
from tests.agent.rig import (
    COMPARTMENT,
    NOON,
    REGION,
    Decisions,
    Hurried,
    Rig,
    WorldClock,
    config_yaml,
    pool_yaml,
    until,
    wall_now,
)
from tests.agent.test_faults import events
from tests.fakes import FakePool, FakePools, FakeSource, pool_id

CALM = "{scale_out: 0s, scale_in: 0s}"


def problems(agent: Agent) -> list[str]:
    records = agent.outbox.batch(10_000, 10**8).records
    return [r["reason"] for r in records if r.get("event_type") == "AGENT_PROBLEM"]


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EROFS, errno.EIO])
def test_fault_8_and_9_a_disk_that_fails_stops_no_scaling_and_is_told(
    rig: Rig, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    rig.add_pool("web", size=2, demand=90)
    agent = rig.agent(config_yaml(pool_yaml("web", cooldown=CALM)))
    rig.run(agent, minutes=2)
    kept = (rig.settings.state_dir / "config.json").read_bytes()

    def fail(_: int) -> None:
        raise OSError(code, os.strerror(code))

    # Flushing is where a full or broken disk shows; a real one cannot be had for a test.
    monkeypatch.setattr(os, "fsync", fail)
    rig.demand("web", 190)
    rig.run(agent, minutes=4)
    assert rig.size("web") == 4
    assert any(os.strerror(code) in text for text in problems(agent))
    assert (rig.settings.state_dir / "config.json").read_bytes() == kept
    rig.demand("web", 400)
    rig.run(agent, minutes=5)
    assert rig.size("web") == 8, "without a journal it still steps once for each decision"
    assert events(agent).count("SCALE_OUT") == rig.requests()["UpdateInstancePool"]

    monkeypatch.undo()
    rig.run(agent, minutes=1)
    agent.close()
    again = rig.agent()
    assert again.configs.running is not None
    again.close()


@pytest.mark.parametrize("content", [b"", b"\0" * 4096, b'{"format": 99, "sha256": ""}', b"[]"])
def test_fault_13_and_68_state_of_another_kind_is_set_aside_and_kept(
    rig: Rig, content: bytes
) -> None:
    rig.add_pool("web", size=2, demand=190)
    agent = rig.agent(config_yaml(pool_yaml("web")))
    rig.run(agent, minutes=1)
    agent.close()
    state = rig.settings.state_dir
    for name in ("state.json", "config.json"):
        (state / name).write_bytes(content)
        (state / f"{name}.previous").unlink(missing_ok=True)

    again = rig.agent(config_yaml(pool_yaml("web")))
    rig.run(again, minutes=4)
    assert rig.size("web") == 4
    kept = [path.read_bytes() for path in state.glob("*.corrupt-*")]
    assert kept == [content, content]
    assert any("set aside" in text for text in problems(again))
    again.close()


def test_fault_68_what_a_newer_version_adds_to_a_pools_notes_costs_only_those(rig: Rig) -> None:
    for name in ("web", "api"):
        rig.add_pool(name, size=2, demand=90)
    yaml = config_yaml(pool_yaml("web"), pool_yaml("api"))
    agent = rig.agent(yaml)
    rig.run(agent, minutes=2)
    agent.close()
    path = rig.settings.state_dir / "state.json"
    content = json.loads(path.read_text())["content"]
    content["pools"][rig.world.pool("web").id]["memory"]["invented_later"] = 1
    content["invented_later"] = 1
    path.write_text(seal(content))

    again = rig.agent(yaml)
    assert again.state.get(rig.world.pool("api").id).memory.at is not None
    assert again.state.get(rig.world.pool("web").id).memory.at is None
    rig.run(again, minutes=1)
    again.close()


def test_fault_17_a_clock_that_is_set_during_a_retry_does_not_lengthen_it(rig: Rig) -> None:
    rig.add_pool("web")
    rig.break_with(rules=[Rule(operation="ListInstancePools", status=503, retry_after_seconds=9)])
    elapsed = [0.0]
    around = rig.surroundings()
    client = rig.client(rig.settings, around)
    jumps = iter(range(1000))

    def sleep(seconds: float) -> bool:
        elapsed[0] += seconds
        return False

    means = client._means
    for name, value in {
        "wall": lambda: wall_now() + next(jumps) * timedelta(hours=1),
        "monotonic": lambda: elapsed[0],
        "sleep": sleep,
    }.items():
        object.__setattr__(means, name, value)
    with pytest.raises(CallError):
        OciPools(OciClient(means)).in_compartment(REGION, COMPARTMENT)
    assert elapsed[0] <= BUDGET_SECONDS
    assert rig.requests()["ListInstancePools"] <= 3


def test_fault_18_after_two_hours_of_sleep_there_is_one_evaluation_on_fresh_metrics(
    rig: Rig,
) -> None:
    rig.add_pool("web", size=4, demand=190)
    seen = Decisions(rig.world)
    agent = rig.agent(config_yaml(pool_yaml("web")), on_decision=seen)
    rig.run(agent, minutes=8)
    before = len(seen.rows)
    rig.break_with(silent=["web"])
    rig.world.advance(7200)
    agent.tick()
    assert len(seen.rows) == before + 1
    assert rig.size("web") == 4, "what was measured before the sleep is no reason to act"
    assert seen.codes("web")[-1] != "scale_in"
    agent.close()


@pytest.mark.parametrize(("seconds", "good"), [(600, False), (-600, False), (30, True)])
def test_fault_20_a_skewed_clock_is_shown_in_seconds(rig: Rig, seconds: int, good: bool) -> None:
    """By central's clock where there is one, and by OCI's."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        around = replace(
            rig.surroundings(), wall=lambda: wall_now() + timedelta(seconds=seconds + 0.5)
        )
        given = replace(
            rig.settings,
            central_url=f"http://127.0.0.1:{listener.getsockname()[1]}",
            api_key="key",
            config_file=rig.home / "config.yaml",
        )
        (rig.home / "config.yaml").write_text(config_yaml(pool_yaml("web")))
        date = format_datetime(wall_now(), usegmt=True)
        reply = f"HTTP/1.0 422 No\r\ndate: {date}\r\ncontent-length: 0\r\n\r\n"
        threading.Thread(target=answer_once, args=(listener, reply.encode()), daemon=True).start()
        found = {finding.what: finding for finding in check_all(given, around)}
    for clock in (found["clock against central"], found["clock against OCI"]):
        assert clock.is_good is good
        told, _, way = clock.text.partition(" s ")
        assert abs(int(told) - abs(seconds)) < 10
        assert way.startswith("ahead" if seconds > 0 else "behind")


def answer_once(listener: socket.socket, reply: bytes) -> None:
    connection, _ = listener.accept()
    with connection:
        connection.recv(65536)
        connection.sendall(reply)


def test_fault_21_and_43_two_agents_on_one_pool_make_one_step_of_one_need(
    rig: Rig, tmp_path: Path
) -> None:
    rig.add_pool("web", size=2, demand=190)
    yaml = config_yaml(pool_yaml("web", cooldown="{scale_out: 5m, scale_in: 5m}"))
    twins = [rig.agent(yaml, state_dir=tmp_path / name) for name in ("one", "two")]
    for _ in range(12):
        rig.world.advance(30)
        for twin in twins:
            twin.tick()
    assert rig.size("web") == 4
    accepted = [e for e in rig.world.requests.entries if e.operation == "UpdateInstancePool"]
    assert Counter(e.status for e in accepted)[200] == 1
    assert twins[0].outbox.stream_id != twins[1].outbox.stream_id
    for twin in twins:
        twin.close()


@pytest.mark.slow
def test_fault_49_load_that_flaps_around_the_threshold_moves_it_once_per_cooldown(
    rig: Rig,
) -> None:
    rig.add_pool("web", size=4, demand=200)
    cooldown = timedelta(minutes=5)
    yaml = config_yaml(pool_yaml("web", cooldown="{scale_out: 5m, scale_in: 5m}"))
    agent = rig.agent(yaml)
    for minute in range(60):
        rig.demand("web", 260 if minute % 2 else 140)
        rig.run(agent, minutes=1)
    writes = [e.at for e in rig.world.requests.entries if e.operation == "UpdateInstancePool"]
    assert 1 <= len(writes) <= 3
    assert all(later - earlier >= cooldown for earlier, later in pairwise(writes))
    agent.close()


@pytest.mark.slow
def test_fault_54_a_pool_that_leaves_while_it_scales_is_let_go_as_it_is(rig: Rig) -> None:
    rig.add_pool("web", size=2, demand=190, launch_seconds=600)
    rig.add_pool("api", size=2, demand=90)
    both = config_yaml(pool_yaml("web"), pool_yaml("api"))
    agent = rig.agent(both)
    rig.run(agent, minutes=2)
    assert rig.world.pool("web").current.state == "SCALING"
    (rig.home / "config.yaml").write_text(config_yaml(pool_yaml("api")))
    agent.reload_file()
    rig.run(agent, minutes=3)
    assert rig.size("web") == 4
    assert [p.name for p in agent.configs.running.config.pools] == ["api"]  # type: ignore[union-attr] # it runs

    (rig.home / "config.yaml").write_text(both)
    agent.reload_file()
    rig.run(agent, minutes=15)
    newest = agent.journal.newest(rig.world.pool("web").id)
    assert newest is not None
    assert newest.status == "applied"
    assert rig.size("web") == 4
    assert rig.requests()["UpdateInstancePool"] == 1
    agent.close()


class Hanging(FakePools):
    """One region never answers until it is told to."""

    def __init__(self, **pools: FakePool) -> None:
        super().__init__(**pools)
        self.go_on = threading.Event()

    def in_compartment(self, region: str, compartment_id: str) -> Any:
        if region == "us-ashburn-1":
            self.go_on.wait(30)
        return super().in_compartment(region, compartment_id)


def test_fault_66_a_thread_that_hangs_completes_no_tick_and_holds_up_no_other_pool(
    rig: Rig,
) -> None:
    pools = Hanging(web=FakePool(2), far=FakePool(2))
    limits = "{min: 3, max: 5}"
    far = pool_yaml("far", region="us-ashburn-1", instance_pool_id=pool_id("far"), limits=limits)
    web = pool_yaml("web", instance_pool_id=pool_id("web"), limits=limits)
    clock = WorldClock(rig.world)
    around = Surroundings(clock, wall_now, clock.elapsed, stop=Hurried(), threads=4)
    agent = Agent(rig.settings, around, Ports(pools, FakeSource(), None))
    agent.configs.bootstrap(config_yaml(far, web), authoritative=True)

    assert agent.tick(patience=1) is False, "so the watchdog is not fed"
    assert agent.last_tick_at is None
    assert pools.pools[pool_id("web")].size == 3
    pools.go_on.set()
    until(lambda: agent.workers.wait(1))
    assert pools.pools[pool_id("far")].size == 3
    assert agent.tick(patience=5) is True
    agent.close()


def test_fault_67_the_error_that_ended_the_last_process_is_told_by_the_next(
    rig: Rig, tmp_path: Path
) -> None:
    guard = tmp_path / "guard.yaml"
    guard.write_text("min: nonsense\n")
    env = {
        "POOLKEEPER_STATE_DIR": str(rig.settings.state_dir),
        "POOLKEEPER_GUARD_FILE": str(guard),
        "POOLKEEPER_STATUS_LISTEN": "off",
    }
    for _ in range(2):
        result = CliRunner().invoke(commands, ["run"], env=env)
        assert result.exit_code == 2
        assert "guard file" in result.output
    told = take(rig.settings.state_dir)
    assert told is not None
    assert told.startswith("SettingsError: the guard file")
    assert take(rig.settings.state_dir) is None, "told once"
    assert leave(tmp_path / "no" / "such" / "directory", ValueError("x"), 1.0) == 0


def test_fault_67_a_process_that_always_fails_ends_later_and_later(tmp_path: Path) -> None:
    waits = []
    for _ in range(6):
        waits.append(leave(tmp_path, ValueError("x"), lived_seconds=3.0))
        assert take(tmp_path) == "ValueError: x"
    assert waits == [0, 10, 20, 40, 60, 60]
    assert leave(tmp_path, ValueError("y"), lived_seconds=601.0) == 0, "it has worked meanwhile"
    assert leave(tmp_path, ValueError("y"), lived_seconds=3.0) == 10
    forget(tmp_path)
    assert take(tmp_path) is None
    assert leave(tmp_path, ValueError("z"), lived_seconds=3.0) == 0


def test_fault_67_the_words_of_an_older_version_are_told_too(tmp_path: Path) -> None:
    (tmp_path / "last-error").write_text("KeyError: 'a'")
    assert take(tmp_path) == "KeyError: 'a'"
    assert take(tmp_path) is None


@pytest.mark.slow
def test_fault_67_under_systemd_it_says_so_and_who_restarts_it_waits_for_nothing(
    rig: Rig, tmp_path: Path
) -> None:
    guard = tmp_path / "guard.yaml"
    guard.write_text("min: nonsense\n")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.bind(str(tmp_path / "notify"))
        systemd.settimeout(20)
        env = {
            **os.environ,
            "POOLKEEPER_STATE_DIR": str(rig.settings.state_dir),
            "POOLKEEPER_GUARD_FILE": str(guard),
            "POOLKEEPER_STATUS_LISTEN": "off",
            "NOTIFY_SOCKET": str(tmp_path / "notify"),
        }
        words = [sys.executable, "-m", "poolkeeper", "agent", "run"]
        first = subprocess.run(words, env=env, timeout=30, check=False, capture_output=True)
        assert first.returncode == 2
        with subprocess.Popen(words, env=env, stderr=subprocess.DEVNULL) as second:
            assert b"ends in 10 s to be started anew: the guard file" in systemd.recv(4096)
            assert second.poll() is None
            second.terminate()
            assert second.wait(5) == -signal.SIGTERM


@pytest.mark.slow
def test_fault_19_a_schedule_opens_and_closes_once_when_the_clocks_go_back(rig: Rig) -> None:
    rig.add_pool("web", size=2, demand=10)
    schedule = (
        "timezone: Europe/Berlin\nschedules:\n"
        '  - {name: s, start: "02:30", end: "03:30", target_instances: 6, mode: exactly}\n'
    )
    agent = rig.agent(
        config_yaml(
            pool_yaml(
                "web",
                policies="[]",
                limits="{min: 2, max: 20}",
                max_step="{scale_in: 100%}",
                cooldown=CALM,
                stabilization=CALM,
            ),
            more=schedule,
        )
    )
    begin = NOON.replace(month=10, day=25, hour=0, minute=20)
    rig.world.advance((begin - rig.world.now()).total_seconds())
    rig.run(agent, minutes=180, every=300)
    rows = agent.outbox.batch(10_000, 10**8).records
    told = [r["scaling_event"] for r in rows if r.get("scaling_event", "").startswith("SCALE")]
    assert told == ["SCALE_OUT", "SCALE_IN"]
    agent.close()
