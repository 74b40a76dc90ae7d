"""The agent's service on a node with a real systemd, in the order in which a node lives.

`make test-systemd` runs this file; its name keeps it out of `make test`, since it needs root,
systemd-nspawn and debootstrap. Where they do not work it fails and says why.
"""

import json
import re
import shlex
import time
from pathlib import Path
from typing import Any

import pytest

from poolkeeper.demo.stage import COMPARTMENT, NODE, POOL_ID, REGION
from poolkeeper.demo.story import configuration
from tests.install_facts import tiny_wheel
from tests.nspawn import wait_until

pytestmark = pytest.mark.timeout(400)
UNIT = "poolkeeper-agent.service"
STATE = "/var/lib/private/poolkeeper-agent"
TREE = Path(__file__).resolve().parents[2]
DOCS = TREE / "docs" / "install.md"
UNIT_FILE = TREE / "systemd" / UNIT
ALONE = f"""\
version: 1
poll_interval: 30s
pools:
  - name: web
    instance_pool_id: {POOL_ID}
    compartment_id: {COMPARTMENT}
    region: {REGION}
    limits: {{min: MIN, max: 9}}
"""


def documented(mark: str, world: Any) -> list[str]:
    """A command of docs/install.md, with our names in it."""
    block = re.search(rf"<!-- tested: {mark} -->\n```bash\n(.*?)```", DOCS.read_text(), re.DOTALL)
    assert block, f"docs/install.md has no block {mark}"
    text = block[1].replace("\\\n", " ").replace("sudo ", "")
    text = text.replace("https://central.example.com", world.stage.central_url)
    wheel = next((world.node.root / "root/release").glob("*.whl")).name
    return shlex.split(re.sub(r"poolkeeper-[\d.]+-py3-none-any.whl", wheel, text))


def in_release(world: Any, words: list[str]) -> str:
    """Run a command in the directory of what the operator brought along."""
    line = f"cd /root/release && {shlex.join(words)}"
    output: str = world.node.run("sh", "-c", line).output
    return output


def heartbeats(world: Any) -> int:
    """How many heartbeats central has stored."""
    count: int = world.stage.evidence._query("SELECT count(*) FROM node_heartbeats")[0][0]
    return count


def test_the_documented_command_installs_the_agent_offline(world: Any) -> None:
    words = documented("install", world)
    words += ["--oci-config", "oci/config", "--set", f"POOLKEEPER_CLOCK={world.clock}"]
    words += ["--set", f"POOLKEEPER_OCI_ENDPOINT={world.stage.simulator_url}"]
    words += ["--set", "POOLKEEPER_STATUS_LISTEN=127.0.0.1:0"]  # the host's loopback is shared
    in_release(world, words)
    assert world.field("UnitFileState") == "enabled"
    assert world.stage._key not in world.node.run("cat", "/etc/poolkeeper/agent.env").output
    listed = world.node.run("ls", "-l", "/etc/poolkeeper/credentials").output
    assert listed.count("-rw------- 1 root root") == 2
    again = in_release(world, ["poolkeeper", "agent", "install"])
    assert "Nothing to do." in again


def test_the_unit_is_active_only_after_the_first_configuration(world: Any) -> None:
    evidence = world.stage.evidence
    wait_until("no heartbeat", lambda: evidence._query("SELECT 1 FROM node_heartbeats"), 30)
    assert world.field("ActiveState") == "activating"
    assert "waiting for a first configuration" in world.field("StatusText")
    status, output = world.stage.push(configuration())
    assert status == 0, output
    wait_until("not active", lambda: world.field("ActiveState") == "active", 30)
    wait_until("hash", lambda: evidence.running_hash() == evidence.active_hash(), 30)


def test_it_runs_as_nobody_and_the_score_is_low(world: Any) -> None:
    pid = world.field("MainPID")
    status = world.node.run("cat", f"/proc/{pid}/status").output
    fields = dict(line.split(":\t", 1) for line in status.splitlines() if ":\t" in line)
    uids = {int(uid) for uid in fields["Uid"].split()}
    assert all(61184 <= uid <= 65519 for uid in uids)  # systemd's range for dynamic users
    assert (fields["NoNewPrivs"], fields["Seccomp"]) == ("1", "2")
    assert int(fields["CapEff"], 16) == int(fields["CapBnd"], 16) == 0
    world.node.run("systemd-analyze", "security", "--threshold=15", "--no-pager", UNIT)
    unit = f"/etc/systemd/system/{UNIT}"
    offline = ("--offline=yes", "--threshold=15", "--no-pager")
    world.node.run("systemd-analyze", "security", *offline, unit)
    assert world.node.run("systemd-analyze", "verify", unit).output == ""


def test_the_documented_check_finds_every_permission(world: Any) -> None:
    words = documented("check", world)
    key = "LoadCredential=oci_key.pem:/etc/poolkeeper/credentials/oci_key.pem"
    output = in_release(world, [*words[:-3], f"--property={key}", *words[-3:]])
    assert "FAIL" not in output
    assert output.count("ok ") >= 4


def test_root_reads_the_status_of_the_running_agent(world: Any) -> None:
    status = json.loads(in_release(world, ["poolkeeper", "agent", "status", "--json"]))
    assert status["healthy"] is True
    assert [pool["name"] for pool in status["pools"]] == ["web"]


def test_it_resizes_a_pool_from_inside_the_hardened_unit(world: Any) -> None:
    since = world.stage.now().replace(tzinfo=None)
    size = world.stage.pool()["size"]
    world.stage.set_demand(270)
    wait_until("no scale-out", lambda: world.stage.pool()["size"] >= 5, 60)
    rows = world.stage.evidence.rows
    wait_until("no row", lambda: any(row.event == "SCALE_OUT" for row in rows(since)), 30)
    assert size == 2


def test_the_nodes_own_figures_arrive_in_central(world: Any) -> None:
    names = {"node_cpu", "node_memory", "node_disk", "node_load"}
    query = "SELECT metric_type, value FROM metrics WHERE pool_id IS NULL"

    def figures() -> dict[str, float]:
        return dict(world.stage.evidence._query(query))

    wait_until("figures are missing", lambda: names <= figures().keys(), 60)
    found = figures()
    assert 0 < found["node_memory"] < 100
    assert 0 < found["node_disk"] < 100
    assert 0 <= found["node_cpu"] <= 100
    newest = "SELECT metrics_data FROM node_heartbeats ORDER BY id DESC LIMIT 1"
    beat = json.loads(world.stage.evidence._query(newest)[0][0])
    assert None not in beat.values()
    assert beat["memory_percent"] > 0


@pytest.mark.fault(66)
def test_a_stopped_process_is_restarted_by_the_watchdog(world: Any) -> None:
    pid = world.field("MainPID")
    world.node.run("systemctl", "kill", "--kill-whom=main", "--signal=STOP", UNIT)
    wait_until("no restart", lambda: world.field("NRestarts") == "1", 40)
    wait_until("not active", lambda: world.field("ActiveState") == "active", 30)
    assert world.field("MainPID") not in {pid, "0"}
    journal = world.node.run("journalctl", "--no-pager", "--unit", UNIT).output
    assert "Watchdog timeout" in journal


def test_a_reload_keeps_the_process(world: Any) -> None:
    pid = world.field("MainPID")
    world.node.run("systemctl", "reload", UNIT)
    wait_until("not active", lambda: world.field("ActiveState") == "active", 10)
    beats = heartbeats(world)  # an agent that dies of SIGHUP sends no more
    wait_until("silent", lambda: heartbeats(world) > beats + 1, 30)
    assert (world.field("ActiveState"), world.field("MainPID")) == ("active", pid)


@pytest.mark.fault(67)
def test_a_release_that_crashes_is_rolled_back(world: Any) -> None:
    broken = tiny_wheel(world.node.root / "root/release", "9.9", UNIT_FILE.read_bytes())
    before = (world.node.root / "opt/poolkeeper/current").readlink()
    line = f"cd /root/release && poolkeeper agent upgrade --from {broken.name} --wheels wheels"
    answer = world.node.run("sh", "-c", line, check=False)
    assert answer.status == 2, answer.output
    assert "did not come up" in answer.output
    assert (world.node.root / "opt/poolkeeper/current").readlink() == before
    wait_until("not active", lambda: world.field("ActiveState") == "active", 30)


def test_it_stops_cleanly_within_ten_seconds(world: Any) -> None:
    began = time.monotonic()
    world.node.run("systemctl", "stop", UNIT)
    assert time.monotonic() - began < 10
    assert (world.field("Result"), world.field("ExecMainStatus")) == ("success", "0")
    status = "SELECT status FROM nodes WHERE name = %s"
    assert world.stage.evidence._query(status, NODE) == [("INACTIVE",)]
    world.node.run("systemctl", "start", UNIT)
    assert world.field("ActiveState") == "active"


def test_a_reboot_without_central_goes_on_from_the_same_state(world: Any) -> None:
    files = ("sh", "-c", f"cd {STATE} && ls -A | grep -v -e -wal -e -shm")
    before, size = world.node.run(*files).output, world.stage.pool()["size"]
    hash_before = world.stage.evidence.running_hash()
    streams = world.stage.evidence.acknowledged().keys()
    world.stage.central.stop()
    world.node.reboot()
    wait_until("not active", lambda: world.field("ActiveState") == "active", 30)
    assert world.node.run(*files).output == before
    world.stage.start_central()
    beats = heartbeats(world)
    wait_until("silent", lambda: heartbeats(world) > beats, 90)
    assert world.stage.evidence.running_hash() == hash_before
    assert world.stage.evidence.acknowledged().keys() == streams
    assert world.stage.evidence.doubles() == 0
    assert world.stage.pool()["size"] == size


def test_a_reload_applies_a_local_configuration_in_the_same_process(world: Any) -> None:
    luggage = world.node.root / "root/release"
    (luggage / "config.yaml").write_text(ALONE.replace("MIN", "6"))
    words = ["poolkeeper", "agent", "install", "--set", "POOLKEEPER_CENTRAL_URL="]
    in_release(world, [*words, "--config", "config.yaml"])
    wait_until("not active", lambda: world.field("ActiveState") == "active", 30)
    wait_until("not at 6", lambda: world.stage.pool()["size"] == 6, 30)
    pid = world.field("MainPID")
    (world.node.root / "etc/poolkeeper/config.yaml").write_text(ALONE.replace("MIN", "8"))
    world.node.run("systemctl", "reload", UNIT)
    wait_until("not at 8", lambda: world.stage.pool()["size"] == 8, 30)
    assert world.field("MainPID") == pid


def test_uninstall_keeps_state_until_it_is_purged(world: Any) -> None:
    root = world.node.root
    in_release(world, ["cp", "-al", "/opt/poolkeeper/current/.", "/root/environment"])
    in_release(world, ["poolkeeper", "agent", "uninstall"])
    assert world.field("LoadState") == "not-found"
    assert not (root / "opt/poolkeeper").exists()
    assert (root / "etc/poolkeeper/credentials/api_key").exists()
    assert (root / STATE[1:]).is_dir()
    purge = ["/root/environment/bin/python", "-m", "poolkeeper", "agent", "uninstall", "--purge"]
    in_release(world, purge)
    assert not (root / "etc/poolkeeper").exists()
    assert not (root / STATE[1:]).exists()
