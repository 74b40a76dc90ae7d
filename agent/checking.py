"""Proving that a node can do its work: configuration, clock, central, and every right at OCI."""

from typing import Any

import httpx

from agent.causes import ALLOWED_SKEW_SECONDS, seconds_ahead
from agent.compose import connect, connect_prometheus
from agent.config_apply import ConfigApplier
from agent.findings import Finding
from agent.observe import site_of
from agent.problems import Problems
from agent.rights import prove_site
from agent.settings import Settings
from agent.sources.prometheus import PrometheusError
from agent.surroundings import Surroundings
from agent.trust import FreshTrust
from shared.config.loader import load
from shared.config.models import Config, Pool
from shared.config.problems import ConfigError


def check_all(settings: Settings, around: Surroundings) -> list[Finding]:
    """Check everything in turn; what fails stops nothing."""
    findings: list[Finding] = []
    config = _configuration(settings, findings, around)
    if settings.central_url is not None:
        findings += _central(settings, around)
    if config is None:
        return findings
    oci = connect(settings, around)
    by_site: dict[Any, list[Pool]] = {}
    for pool in config.pools:
        by_site.setdefault(site_of(pool), []).append(pool)
    for members in by_site.values():
        findings += prove_site(oci.pools, oci.source, members, around.clock.now())
    if oci.client.clock_ahead is not None:
        findings.append(_clock("clock against OCI", oci.client.clock_ahead))
    return findings + _prometheus(settings, config, around)


def _configuration(
    settings: Settings, findings: list[Finding], around: Surroundings
) -> Config | None:
    path = settings.config_file
    if path is None:
        stamp = around.wall().strftime("%Y%m%dT%H%M%S")
        kept = settings.state_dir / "config.json"
        running = ConfigApplier(kept, stamp=stamp, on_problem=Problems().add).running
        good = running is not None
        text = f"last good one {running.hash[:12]}" if running else "there is none yet"
        cure = "" if good else "push one from central, or give --config FILE"
        findings.append(Finding("configuration", good, text, cure))
        return running.config if running else None
    try:
        config = load(path.read_bytes())
    except (OSError, ConfigError) as error:
        findings.append(Finding("configuration", is_good=False, text=f"{path}: {error}"))
        return None
    text = f"{path}: {len(config.pools)} pools"
    findings.append(Finding("configuration", is_good=True, text=text))
    return config


def _central(settings: Settings, around: Surroundings) -> list[Finding]:
    """A heartbeat without content proves the key and changes nothing: 401 or a complaint."""
    trust = FreshTrust(settings.central_ca_file) if settings.central_ca_file else None
    try:
        with httpx.Client(transport=trust, timeout=10) as http:
            answer = http.post(
                f"{settings.central_url}/v1/heartbeat",
                json={},
                headers={"authorization": f"Bearer {settings.api_key}"},
            )
    except httpx.HTTPError as error:
        text = f"{settings.central_url} does not answer: {type(error).__name__}"
        cure = "check POOLKEEPER_CENTRAL_URL, DNS, the certificate and the way there"
        return [Finding("central", is_good=False, text=text, cure=cure)]
    ahead = seconds_ahead(answer.headers.get("date"), around.wall())
    findings = [] if ahead is None else [_clock("clock against central", ahead)]
    accepted = answer.status_code in (400, 422)
    text = "answers and knows this node's key" if accepted else f"answers {answer.status_code}"
    cure = "poolkeeper node create NAME, and give the agent its key"
    return [*findings, Finding("central", accepted, text, cure)]


def _clock(what: str, seconds: float) -> Finding:
    good = abs(seconds) <= ALLOWED_SKEW_SECONDS
    way = "ahead" if seconds > 0 else "behind"
    cure = "set the clock: chronyc makestep, and keep chronyd running"
    return Finding(what, good, f"{abs(seconds):.0f} s {way}; 300 s are allowed", cure)


def _prometheus(settings: Settings, config: Config, around: Surroundings) -> list[Finding]:
    asking = [p.name for pool in config.pools for p in pool.policies if p.source == "prometheus"]
    if not asking:
        return []
    source = connect_prometheus(settings, around)
    if source is None:
        text = f"{len(asking)} policies ask it, and this node knows no address"
        cure = "set POOLKEEPER_PROMETHEUS_URL"
        return [Finding("prometheus", is_good=False, text=text, cure=cure)]
    try:
        source.probe(around.clock.now())
    except PrometheusError as error:
        return [Finding("prometheus", is_good=False, text=str(error))]
    return [Finding("prometheus", is_good=True, text=f"answers at {settings.prometheus_url}")]
