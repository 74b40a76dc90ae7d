"""The stage: simulator, central and agent as processes on free loopback ports, one fast clock."""

import contextlib
import json
import secrets
import sqlite3
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx

from poolkeeper.demo.evidence import Evidence
from poolkeeper.demo.processes import DemoError, Process, run

SCALE = 60.0
"""Simulated seconds in one real second."""

OPENING = datetime(2026, 3, 2, 7, 30, tzinfo=UTC)
"""A Monday morning, on which every demo begins."""

POOL_ID = "ocid1.instancepool.oc1.eu-frankfurt-1.demoweb"
COMPARTMENT = "ocid1.compartment.oc1..demo"
REGION = "eu-frankfurt-1"
CAPACITY = 100
OPERATOR = "operator@demo.example"
NODE = "demo-node"


class Stage:
    """Everything that the demo runs and may touch."""

    def __init__(self, directory: Path, now: datetime) -> None:
        self.directory = directory
        self._wall_origin = now
        self.data = directory / "central"
        self.state = directory / "agent"
        self.simulator = Process("simulator", self._simulator_words(), directory)
        self.central = Process("central", [], directory)
        self.agent = Process("agent", ["agent", "run"], directory)
        self.evidence = Evidence(self.data)
        self.simulator_url = self.central_url = ""
        self._key = ""

    # start and stop ----------------------------------------------------------------------------

    def start(self) -> None:
        """Start all three parts, enrol the node and give it its first configuration."""
        self._run("simulator", "keygen", str(self.directory / "oci"), "--json")
        (self.directory / "scenario.json").write_text(json.dumps(self._scenario()), "utf-8")
        self.simulator.start()
        password = secrets.token_urlsafe(18)
        self._run(
            *("central", "create-user", "--data-dir", str(self.data), "--email", OPERATOR),
            *("--role", "ADMIN", "--full-name", "Demo Operator", "--password-stdin"),
            text=password,
        )
        self.start_central()
        self.simulator_url = self.simulator.announced("url")
        self._run(
            *("login", "--url", self.central_url, "--email", OPERATOR, "--password-stdin"),
            text=password,
        )
        created = self._run("node", "create", NODE, "--region", REGION, "--json")
        self._key = str(json.loads(created)["api_key"])

    def start_central(self) -> None:
        """Start central, on the port that it had before if it had one."""
        port = self.central_url.rpartition(":")[2] or "0"
        self.central.words = [
            *("central", "serve", "--data-dir", str(self.data), "--port", port),
            *("--heartbeat-seconds", "1", "--json"),
        ]
        since = self.central.log.stat().st_size if self.central.log.exists() else 0
        self.central.start()
        self.central_url = self.central.announced("url", since)

    def start_agent(self) -> None:
        """Start the agent; it knows central, its key and where OCI is, and nothing else."""
        clock = (
            f"scale={SCALE:g};simulated={OPENING.isoformat()};wall={self._wall_origin.isoformat()}"
        )
        key_file = self.directory / "node.key"
        key_file.touch(mode=0o600)
        key_file.write_text(self._key, "ascii")
        self.agent.start(
            {
                "POOLKEEPER_CENTRAL_URL": self.central_url,
                "POOLKEEPER_API_KEY_FILE": str(key_file),
                "POOLKEEPER_STATE_DIR": str(self.state),
                "POOLKEEPER_OCI_AUTH": "config_file",
                "POOLKEEPER_OCI_CONFIG_FILE": str(self.directory / "oci" / "config"),
                "POOLKEEPER_OCI_ENDPOINT": self.simulator_url,
                "POOLKEEPER_CLOCK": clock,
            }
        )

    def stop(self) -> None:
        """End everything, the agent first, so that it can say goodbye."""
        for process in (self.agent, self.central, self.simulator):
            process.stop()

    def check_alive(self) -> None:
        """Raise DemoError when a part has ended by itself."""
        for process in (self.agent, self.simulator, self.central):
            process.check_alive()

    # what an operator and the weather do -------------------------------------------------------

    def push(self, yaml: str) -> tuple[int, str]:
        """Push a configuration to the node; return exit status and output."""
        file = self.directory / "config.yaml"
        file.write_text(yaml, "utf-8")
        return run(["config", "push", NODE, str(file)], self._operator())

    def set_demand(self, value: float) -> None:
        """Change the load on the pool, from now on."""
        self.admin(
            "POST",
            "/admin/demand",
            {"pool": POOL_ID, "curve": {"kind": "constant", "value": value}},
        )

    def agent_records(self) -> tuple[int, int]:
        """How many records the agent has ever written, and how many wait to be sent."""
        with contextlib.closing(sqlite3.connect(self.state / "outbox.sqlite3")) as outbox:
            written = outbox.execute("SELECT seq FROM sqlite_sequence").fetchone()
            waiting = outbox.execute("SELECT count(*) FROM records").fetchone()
        return (int(written[0]) if written else 0), int(waiting[0])

    def refuse_writes(self) -> None:
        """Make OCI refuse every resize from now on."""
        self.admin("PATCH", "/admin/faults", {"refuse_writes": True})

    def pool(self) -> dict[str, Any]:
        """The pool as the simulator knows it."""
        pools: list[dict[str, Any]] = self.admin("GET", "/admin/state")["pools"]
        return next(pool for pool in pools if pool["id"] == POOL_ID)

    def now(self) -> datetime:
        """The simulated time."""
        return datetime.fromisoformat(self.admin("GET", "/admin/clock")["now"])

    def admin(self, verb: str, path: str, body: object = None) -> Any:
        """Call the simulator's own API."""
        try:
            answer = httpx.request(verb, self.simulator_url + path, json=body, timeout=10)
        except httpx.HTTPError as error:
            raise DemoError(f"the simulator does not answer: {error}") from error
        if answer.is_error:
            raise DemoError(f"the simulator refused {verb} {path}: {answer.text}")
        return answer.json()

    # details -----------------------------------------------------------------------------------

    def _operator(self) -> dict[str, str]:
        return {"POOLKEEPER_CONFIG_DIR": str(self.directory / "operator"), "NO_COLOR": "1"}

    def _run(self, *words: str, text: str = "") -> str:
        status, output = run(words, self._operator(), text)
        if status != 0:
            raise DemoError(f"poolkeeper {' '.join(words[:2])} failed: {output.strip()}")
        return output

    def _simulator_words(self) -> list[str]:
        return [
            *("simulator", "serve", "--scenario", str(self.directory / "scenario.json")),
            *("--public-key", str(self.directory / "oci" / "public.pem")),
            *("--clock-scale", f"{SCALE:g}", "--start", OPENING.isoformat()),
            *("--origin-wall", self._wall_origin.isoformat(), "--seed", "7"),
        ]

    def _scenario(self) -> dict[str, Any]:
        pool = {
            "name": "web",
            "id": POOL_ID,
            "compartment_id": COMPARTMENT,
            "region": REGION,
            "size": 2,
            "demand": {"kind": "constant", "value": 90},
            "capacity": CAPACITY,
            "jitter": 0.02,
            "launch_seconds": timedelta(seconds=60).total_seconds(),
            "terminate_seconds": 20,
        }
        return {"pools": [pool], "compartments": [COMPARTMENT]}
