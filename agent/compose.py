"""The composition root: real OCI and real central behind an agent."""

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING

import httpx

from agent.central_client import CentralClient
from agent.clock import sleeper
from agent.files import make_home
from agent.heartbeat import Central
from agent.home import Home
from agent.keyring import Keyring
from agent.patience import Pace
from agent.phase import Phase
from agent.rotation import RotatingCentral
from agent.service import Agent
from agent.settings import Settings
from agent.sources.several import Sources
from agent.surroundings import Ports, Surroundings
from agent.tenancy import Tenancy, tenancy_of
from agent.throttle import TokenBucket
from agent.trust import FreshTrust

log = logging.getLogger(__name__)

if TYPE_CHECKING:
    from agent.oci_client import OciClient
    from agent.oci_pools import OciPools
    from agent.sources.oci_monitoring import OciMonitoring
    from agent.sources.prometheus import Prometheus

_METRIC_RATE, _OTHER_RATE, _BURST = 2.0, 5.0, 10


@dataclass(frozen=True)
class Oci:
    """The real OCI: its pools, its metrics, and what makes the calls at which rate."""

    pools: "OciPools"
    source: "OciMonitoring"
    client: "OciClient"
    metrics: TokenBucket


def connect(settings: Settings, around: Surroundings) -> Oci:
    """Return the real OCI behind the settings."""
    return _connect(settings, around, Phase(around.jitter))


def build(settings: Settings, around: Surroundings) -> Agent:
    """Wire the agent for a node: real OCI, and central over HTTP when the settings name one."""
    phase = Phase(around.jitter)
    oci = _connect(settings, around, phase)
    home = Home(lambda: _of_this_instance(settings.metadata_url, "id"))
    home.begin()
    tenancy = Tenancy(
        lambda: tenancy_of(
            settings.oci_auth, lambda: _of_this_instance(settings.metadata_url, "tenantId")
        )
    )
    tenancy.begin()
    sources = Sources(oci.source, connect_prometheus(settings, around))
    ports = Ports(
        oci.pools, sources, _central(settings, around), home.instance, phase, tenancy=tenancy.name
    )
    agent = Agent(settings, around, ports)
    agent.on_budget = lambda budget: oci.metrics.set_rate(
        _speed(settings) * (budget.requests_per_second if budget else _METRIC_RATE)
    )
    return agent


def _connect(settings: Settings, around: Surroundings, phase: Phase) -> Oci:
    from agent.oci_client import Credentials, Means, OciClient  # noqa: PLC0415 # see below
    from agent.oci_pools import OciPools  # noqa: PLC0415 # the SDK takes a second to import
    from agent.sources.oci_monitoring import OciMonitoring  # noqa: PLC0415 # the same

    rest = sleeper(around.stop)
    speed = _speed(settings)
    metrics = TokenBucket(speed * _METRIC_RATE, _BURST, around.monotonic, rest)
    client = OciClient(
        Means(
            credentials=Credentials(settings.oci_auth, around.wall, around.monotonic),
            endpoint=settings.oci_endpoint,
            wall=around.wall,
            pace=Pace(
                monotonic=around.monotonic,
                sleep=rest,
                jitter=around.jitter,
                metrics=metrics,
                others=TokenBucket(speed * _OTHER_RATE, 2 * _BURST, around.monotonic, rest),
                on_throttled=phase.throttled,
            ),
        )
    )
    return Oci(OciPools(client), OciMonitoring(client, phase.of_reads), client, metrics)


def connect_prometheus(settings: Settings, around: Surroundings) -> "Prometheus | None":
    """Return the Prometheus that the settings name, or None."""
    if settings.prometheus_url is None:
        return None
    from agent.sources.prometheus import Prometheus  # noqa: PLC0415 # few nodes have one

    http = httpx.Client(follow_redirects=False)
    url, token = settings.prometheus_url, settings.prometheus_token
    return Prometheus(http, url, token, around.monotonic, around.stop.is_set)


def _of_this_instance(metadata_url: str, name: str) -> str | None:
    """Ask the metadata service (Oracle, "Getting Instance Metadata"); None off OCI."""
    try:
        answer = httpx.get(
            f"{metadata_url}/instance",
            headers={"authorization": "Bearer Oracle"},
            timeout=httpx.Timeout(2.0, connect=1.0),
            trust_env=False,
        )
        found = answer.raise_for_status().json()
    except (httpx.HTTPError, ValueError):
        return None
    return str(found[name]) if isinstance(found, dict) and found.get(name) else None


def _speed(settings: Settings) -> float:
    """A rehearsal that runs fast asks as often per simulated second as a real node would."""
    return max(1.0, settings.clock.scale)


def _central(settings: Settings, around: Surroundings) -> Central | None:
    if settings.central_url is None:
        return None
    home = settings.state_dir
    make_home(home)
    keyring = Keyring(home, settings.api_key, log.error)
    is_local = settings.central_url.startswith("http://")  # only loopback: never by a proxy
    trust = FreshTrust(settings.central_ca_file) if settings.central_ca_file else None
    http = httpx.Client(follow_redirects=False, trust_env=not is_local, transport=trust)
    client = CentralClient(
        http, settings.central_url, keyring.current, around.monotonic, around.wall
    )
    return RotatingCentral(client, keyring)
