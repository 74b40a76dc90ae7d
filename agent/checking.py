"""Proving that a node can do its work: configuration, clock, central, and every OCI permission."""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

import httpx
from rich.console import Console
from rich.text import Text

from agent.causes import ALLOWED_SKEW_SECONDS, seconds_ahead
from agent.compose import connect, connect_prometheus
from agent.config_apply import ConfigApplier
from agent.errors import CallError
from agent.observe import ref_of, site_of
from agent.pools import PoolRef, Pools
from agent.problems import Problems
from agent.settings import Settings
from agent.sources.oci_monitoring import OciMonitoring
from agent.sources.prometheus import PrometheusError
from agent.surroundings import Surroundings
from agent.trust import FreshTrust
from shared.config.loader import load
from shared.config.models import Config, Pool
from shared.config.problems import ConfigError

_READ = "allow dynamic-group G to read instance-pools in compartment id {compartment}"
_WRITE = (
    "allow dynamic-group G to manage instance-pools in compartment id {compartment}"
    " where request.permission = 'INSTANCE_POOL_UPDATE'"
)
_METRICS = "allow dynamic-group G to read metrics in compartment id {compartment}"
_NATIVE = (
    "allow dynamic-group G to inspect auto-scaling-configurations in compartment id {compartment}"
)
_DETACH = (
    "allow dynamic-group G to manage instance-pools in compartment id {compartment}"
    " where any {{request.permission = 'INSTANCE_POOL_UPDATE',"
    " request.permission = 'INSTANCE_POOL_INSTANCE_DETACH'}}"
)
_WORK = "allow dynamic-group G to inspect work-requests in compartment id {compartment}"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was proven, or not; `cure` says what would mend it."""

    what: str
    is_good: bool
    text: str
    cure: str = ""

    def as_json(self) -> dict[str, Any]:
        """Return it for scripts."""
        return asdict(self)


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
        findings += _site(oci.pools, oci.source, members, around.clock.now())
    if oci.client.clock_ahead is not None:
        findings.append(_clock("clock against OCI", oci.client.clock_ahead))
    return findings + _prometheus(settings, config, around)


def print_findings(findings: Sequence[Finding]) -> None:
    """Print a line for each finding, and the cure below what is missing."""
    console = Console()
    for finding in findings:
        mark = Text("ok  ", "green") if finding.is_good else Text("FAIL", "red")
        console.print(Text.assemble(mark, f" {finding.what}: {finding.text}"), soft_wrap=True)
        if finding.cure and not finding.is_good:
            console.print(f"     {finding.cure}", soft_wrap=True, highlight=False)


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


def _site(
    pools: Pools, source: OciMonitoring, members: Sequence[Pool], now: datetime
) -> list[Finding]:
    first = members[0]
    where = f"{first.compartment_id} in {first.region}"
    listed: dict[str, int] = {}

    def list_pools() -> str:
        found = pools.in_compartment(first.region, first.compartment_id)
        listed.update({pool.id: pool.size for pool in found.values()})
        return f"{len(found)} pools in {where}"

    findings = [_prove("list pools", list_pools, _READ, first)]
    findings.append(
        _prove("read metrics", lambda: f"{source.probe(first, now)} CPU streams", _METRICS, first)
    )
    findings.append(_native(pools, members))
    for pool in members:
        if pool.instance_pool_id not in listed:
            if listed:
                text = "not in its compartment: deleted, moved, or a wrong OCID"
                findings.append(Finding(f"pool {pool.name}", is_good=False, text=text))
            continue
        findings += _pool(pools, pool, now)
    return findings


def _pool(pools: Pools, pool: Pool, now: datetime) -> list[Finding]:
    ref = ref_of(pool)
    name = f"pool {pool.name}"
    proven = [
        _prove(f"{name}, read", lambda: f"size {pools.get(ref).pool.size}", _READ, pool),
        _prove(f"{name}, members", lambda: f"{len(pools.members(ref))} instances", _READ, pool),
        _prove(f"{name}, resize", lambda: _may_resize(pools, ref), _WRITE, pool),
        _prove(
            f"{name}, work requests",
            lambda: f"{len(pools.work_errors(ref, now))} failed just now",
            _WORK,
            pool,
        ),
    ]
    return [*proven, _detach(pool)] if pool.protected else proven


def _native(pools: Pools, members: Sequence[Pool]) -> Finding:
    """Look for OCI's own autoscaling: two that size one pool fight."""
    first = members[0]
    what = "no native autoscaling"
    found: dict[str, str] = {}

    def look() -> str:
        found.update(pools.native_autoscaling(first.region, first.compartment_id))
        return "none is enabled on these pools"

    finding = _prove(what, look, _NATIVE, first)
    taken = [pool.name for pool in members if pool.instance_pool_id in found]
    if not taken:
        if finding.is_good:
            return finding
        text = f"not known, which stops nothing: {finding.text}; optional: {finding.cure}"
        return Finding(what, is_good=True, text=text)
    text = f"enabled on {', '.join(taken)}: the agent would only observe"
    return Finding(what, is_good=False, text=text, cure="disable it, or set mode: observe")


def _detach(pool: Pool) -> Finding:
    """OCI has no way to ask for this right without using it, so it is only named."""
    text = "needed to spare protected members; not proven, for that would remove one: "
    statement = _DETACH.format(compartment=pool.compartment_id)
    return Finding(f"pool {pool.name}, detach", is_good=True, text=text + statement)


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


def _may_resize(pools: Pools, ref: PoolRef) -> str:
    """Ask for the size that the pool has, under an etag that it never had: 412 proves the right.

    OCI has no dry run. Whether it checks permissions before etags is not documented.
    """
    size = pools.get(ref).pool.size
    try:
        pools.resize(ref, size, etag="poolkeeper-check", token=f"poolkeeper-check-{ref.id[-32:]}")
    except CallError as error:
        if error.cause.status in (409, 412):
            return "allowed"
        raise
    return "allowed"


def _prove(what: str, attempt: Callable[[], str], statement: str, pool: Pool) -> Finding:
    try:
        return Finding(what, is_good=True, text=attempt())
    except CallError as error:
        cause = error.cause
        cure = ""
        if cause.status in (403, 404):
            cure = "missing policy? " + statement.format(compartment=pool.compartment_id)
        elif cause.status == 401:
            cure = "check the key, its fingerprint, and this node's clock"
        return Finding(what, is_good=False, text=str(cause), cure=cure)
