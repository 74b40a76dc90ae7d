"""What the running agent tells: metrics, health, status, and lines for the journal."""

import json
import logging
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

import httpx
import pytest
from click.testing import CliRunner
from prometheus_client.parser import text_string_to_metric_families

from agent.addresses import Listen, parse_listen
from agent.commands_status import status
from agent.errors import SettingsError
from agent.logs import Lines, facts
from agent.service import Agent
from agent.status import health
from agent.status_server import ADDRESS_FILE, serving
from tests.agent.rig import Rig, config_yaml, pool_yaml
from tests.fakes import FakeCentral

FREE = Listen("127.0.0.1", 0)


@pytest.fixture
def at_work(rig: Rig) -> Iterator[tuple[Agent, FakeCentral]]:
    rig.add_pool("web", size=2, demand=190)
    central = FakeCentral()
    agent = rig.agent(config_yaml(pool_yaml("web")), central=central)
    agent.beat()
    rig.run(agent, minutes=4)
    yield agent, central
    agent.close()


def samples(text: str) -> dict[str, float]:
    """Metrics by name and labels, read by Prometheus's own parser."""
    return {
        sample.name + "".join(f" {key}={value}" for key, value in sorted(sample.labels.items())): (
            sample.value
        )
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def test_metrics_tell_of_pools_ticks_writes_and_central(
    at_work: tuple[Agent, FakeCentral],
) -> None:
    agent, _ = at_work
    with serving(agent, FREE) as url:
        assert url is not None
        answer = httpx.get(f"{url}/metrics", trust_env=False)
    found = samples(answer.text)
    assert found["poolkeeper_pool_size pool=web"] == 4
    assert found["poolkeeper_pool_ceiling pool=web"] == 20
    assert found["poolkeeper_pool_status pool=web"] == 0
    assert found["poolkeeper_pool_cpu_percent pool=web"] > 0
    assert found["poolkeeper_pool_resizes_total direction=out pool=web"] == 1
    assert found["poolkeeper_agent_ticks_total result=complete"] == 8
    assert found["poolkeeper_agent_healthy"] == 1
    assert found["poolkeeper_agent_heartbeats_total result=accepted"] == 1
    assert found["poolkeeper_agent_outbox_records"] > 0
    assert found["poolkeeper_agent_process_open_fds"] > 0


def test_unknown_cpu_is_absent_not_zero(rig: Rig) -> None:
    rig.add_pool("web", size=2)
    rig.break_with(silent=["web"])
    agent = rig.agent(config_yaml(pool_yaml("web")))
    rig.run(agent, minutes=1)
    with serving(agent, FREE) as url:
        text = httpx.get(f"{url}/metrics", trust_env=False).text
    assert "poolkeeper_pool_cpu_percent pool=web" not in samples(text)
    agent.close()


def test_healthz_follows_completed_ticks_alone(
    at_work: tuple[Agent, FakeCentral], rig: Rig
) -> None:
    agent, central = at_work
    central.is_down = True
    rig.break_with(forbidden={"ListInstancePools": 404})
    rig.run(agent, minutes=5)
    with serving(agent, FREE) as url:
        assert httpx.get(f"{url}/healthz", trust_env=False).status_code == 200
        rig.world.advance(timedelta(minutes=3).total_seconds())
        answer = httpx.get(f"{url}/healthz", trust_env=False)
    assert answer.status_code == 503
    assert "no tick was completed since" in answer.text


def test_without_a_configuration_it_waits_and_is_well(rig: Rig) -> None:
    agent = rig.agent(central=FakeCentral())
    assert health(agent) == (True, "waiting for a first configuration")
    agent.close()


def test_agent_status_finds_the_agent_by_its_state_directory(
    at_work: tuple[Agent, FakeCentral],
) -> None:
    agent, _ = at_work
    home = {"POOLKEEPER_STATE_DIR": str(agent.settings.state_dir)}
    with serving(agent, FREE):
        shown = CliRunner().invoke(status, env=home)
        document = CliRunner().invoke(status, ["--json"], env=home)
    assert shown.exit_code == 0, shown.output
    assert "web" in shown.output
    assert "outbox:" in shown.output
    (pool,) = json.loads(document.stdout)["pools"]
    assert (pool["name"], pool["size"], pool["status"]) == ("web", 4, "healthy")
    assert pool["reason"]
    assert not (agent.settings.state_dir / ADDRESS_FILE).exists()


def test_agent_status_without_an_agent_is_one_clear_sentence() -> None:
    result = CliRunner().invoke(status, ["--url", "http://127.0.0.1:9"])
    assert result.exit_code == 2
    assert "no agent answers on http://127.0.0.1:9" in result.output


def test_only_this_machine_by_its_own_name_is_answered(
    at_work: tuple[Agent, FakeCentral],
) -> None:
    agent, _ = at_work
    with serving(agent, FREE) as url:
        strange = httpx.get(f"{url}/status", headers={"host": "evil.test"}, trust_env=False)
        unknown = httpx.get(f"{url}/secrets", trust_env=False)
        assert httpx.post(f"{url}/status", trust_env=False).status_code == 501
    assert (strange.status_code, unknown.status_code) == (403, 404)


def test_a_port_that_is_taken_stops_no_agent(
    at_work: tuple[Agent, FakeCentral], caplog: pytest.LogCaptureFixture
) -> None:
    agent, _ = at_work
    with serving(agent, FREE) as url:
        assert url is not None
        taken = Listen("127.0.0.1", int(url.rpartition(":")[2]))
        with serving(agent, taken) as second:
            assert second is None
    assert "no metrics: cannot listen" in caplog.text


@pytest.mark.parametrize("text", ["0.0.0.0:9467", "example.org:1", "127.0.0.1", "127.0.0.1:99999"])
def test_addresses_that_others_could_reach_are_refused(text: str) -> None:
    with pytest.raises(SettingsError, match="loopback"):
        parse_listen(text)


def test_off_serves_nothing(at_work: tuple[Agent, FakeCentral]) -> None:
    assert parse_listen("off") is None
    with serving(at_work[0], None) as url:
        assert url is None


def test_status_never_holds_the_key(rig: Rig) -> None:
    rig.add_pool("web")
    agent = rig.agent(config_yaml(pool_yaml("web")), central=FakeCentral())
    agent.settings = replace(agent.settings, api_key="s3cret", prometheus_token="t0ken")
    rig.run(agent, minutes=1)
    with serving(agent, FREE) as url:
        pages = [httpx.get(f"{url}/{page}", trust_env=False).text for page in ("status", "metrics")]
    assert not any(secret in page for page in pages for secret in ("s3cret", "t0ken"))
    agent.close()


def test_a_change_is_one_line_with_its_facts_and_holds_are_for_verbose(
    rig: Rig, caplog: pytest.LogCaptureFixture
) -> None:
    rig.add_pool("web", size=2, demand=190)
    agent = rig.agent(config_yaml(pool_yaml("web")))
    caplog.clear()
    with caplog.at_level(logging.INFO):
        rig.run(agent, minutes=6)
    lines = [Lines(for_journal=True).format(r) for r in caplog.records if r.name == "agent.notices"]
    assert len(lines) == 1
    assert lines[0].startswith("<6>agent.notices: web: resized from 2 to 4: scales out")
    assert lines[0].endswith("pool=web before=2 to=4")
    agent.close()


def test_lines_quote_what_would_be_read_wrongly() -> None:
    known = facts(pool="two words", code="a=b", size=3, empty="")
    about = {"name": "x", "levelno": logging.WARNING, "levelname": "WARNING", "msg": "hello"}
    line = Lines(for_journal=False).format(logging.makeLogRecord(about | known))
    assert line == 'WARNING x: hello pool="two words" code="a=b" size=3 empty=""'
