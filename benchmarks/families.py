"""The scalers that are compared, each with the same number of configurations, and the default."""

from dataclasses import dataclass
from datetime import timedelta

from shared.config.loader import load
from shared.config.models import Limits
from shared.engine.plan import Plan
from shared.replay.engine import EngineScaler
from shared.replay.hpa import HpaRule, HpaScaler
from shared.replay.native import NativeRule, NativeScaler
from shared.replay.pool import World
from shared.replay.run import Scaler
from shared.replay.trace import Trace

FAMILIES = ("native", "hpa", "poolkeeper")
LIMITS = Limits(min=1, max=200)

POOL = """
version: 1
pools:
  - name: replayed
    instance_pool_id: ocid1.instancepool.oc1.eu-frankfurt-1.replayed
    compartment_id: ocid1.compartment.oc1..replayed
    region: eu-frankfurt-1
    limits: {{min: 1, max: 200}}
    policies:
      - {{name: cpu, type: target_tracking, metric: CpuUtilization, {policy}}}
    {pool}
"""

_CLOSE = "tolerance: {out: 2%, in: 5%}"

DEFAULT = (f"target: 80, headroom: 1, {_CLOSE}", "stabilization: {scale_in: 1h}")
"""The policy that is recommended for every series alike; all else as the file format has it.

The target is the line above which service counts as bad. Of all policies with a target up to there
it lies nearest to our own front on the mean of the four first halves.
"""

_NEWEST = (
    # minutes until it gives back, headroom, targets
    (2, 0, (75, 80)),
    (2, 1, (75, 80, 85)),
    (2, 3, (75,)),
    (2, 4, (70, 75, 85, 90, 100)),
    (2, 6, (45, 50, 55, 60, 65, 75)),
    (15, 0, (45, 50, 55, 80)),
    (15, 1, (50, 75, 80)),
    (15, 3, (75,)),
    (15, 4, (40,)),
    (15, 6, (80,)),
    (60, 1, (100,)),
    (120, 3, (100,)),
)
_DEMAND = (
    # hours, percentile, headroom, targets
    (1, 25, 0, (80,)),
    (1, 25, 1, (85,)),
    (1, 75, 2, (100,)),
    (1, 90, 1, (95, 100)),
    (3, 25, 0, (75,)),
    (3, 50, 0, (80,)),
    (3, 50, 1, (85,)),
    (3, 90, 1, (95,)),
    (3, 90, 4, (80,)),
    (6, 25, 1, (80, 90)),
    (6, 50, 1, (100,)),
    (6, 60, 4, (32,)),
    (6, 75, 4, (45,)),
    (6, 90, 0, (100,)),
    (6, 90, 4, (70, 90, 100)),
)
"""Knobs of the three families, found the same way: from a wide grid of each, 48 one by one, always
the one that adds most to the fronts of the four FIRST halves (the logarithm of the minutes under
target, averaged over all budgets from 0.7 to 3 times the need)."""

_OCI = (
    # instances added and removed; pairs of thresholds, upper and lower
    (1, 1, ((65, 30), (65, 35), (65, 40), (70, 45), (70, 50), (75, 50))),
    (1, 1, ((75, 55), (75, 60), (75, 65), (80, 70), (95, 60), (95, 70))),
    (1, 2, ((75, 60), (80, 70))),
    (1, 3, ((80, 70),)),
    (1, 4, ((80, 70), (95, 70))),
    (2, 1, ((50, 20), (65, 40), (70, 40), (70, 45), (75, 45), (75, 50))),
    (2, 1, ((75, 55), (75, 65), (80, 70), (85, 70))),
    (2, 3, ((95, 60),)),
    (3, 1, ((50, 15), (55, 35), (60, 40), (65, 40), (70, 40), (70, 45))),
    (4, 1, ((50, 30), (50, 40), (55, 30), (55, 40), (55, 45), (65, 40))),
    (6, 1, ((50, 30), (55, 30), (60, 45), (70, 15))),
    (6, 2, ((40, 30), (55, 15))),
    (6, 3, ((50, 15), (60, 15))),
)
_HPA = (
    # target, minutes of stabilization
    (35, (20,)),
    (40, (15, 20, 30)),
    (45, (15, 30)),
    (50, (15, 20, 45, 60)),
    (55, (15, 30, 60)),
    (60, (2, 8, 15, 20, 45)),
    (65, (2, 10, 15, 20)),
    (70, (2, 3, 10, 20)),
    (75, (3, 5, 15, 90)),
    (80, (1, 20, 45, 90)),
    (85, (20, 30, 45, 90)),
    (90, (2, 8, 10, 15, 30, 45, 90)),
    (95, (45, 60, 120)),
)


_BRISK = """cooldown: {scale_out: 0s, scale_in: 1m}
    max_step: {scale_in: 100%}
    """


@dataclass(frozen=True, slots=True)
class Setting:
    """One configuration of one family: a rule, or the policy and pool part of a YAML file."""

    family: str
    label: str
    native: NativeRule | None = None
    hpa: HpaRule | None = None
    yaml: str = ""

    def scaler(self, trace: Trace, world: World) -> Scaler:
        """Make it ready for a replay."""
        if self.native is not None:
            return NativeScaler(self.native, LIMITS, trace.step)
        if self.hpa is not None:
            return HpaScaler(self.hpa, LIMITS, trace.step)
        return EngineScaler(Plan.of(load(self.yaml), "replayed"), trace, world.lag)


def native_settings() -> list[Setting]:
    """Thresholds and steps of OCI's algorithm; its cooldown is at its fastest."""
    return [
        Setting("native", f"above {a}, below {b}, +{add}/-{remove}", NativeRule(a, b, add, remove))
        for add, remove, pairs in _OCI
        for a, b in pairs
    ]


def hpa_settings() -> list[Setting]:
    """Targets and stabilization windows of the HPA; its rates and tolerance are the defaults."""
    return [
        Setting(
            "hpa",
            f"target {target}, stabilization {minutes} min",
            hpa=HpaRule(target=target, stabilization=timedelta(minutes=minutes)),
        )
        for target, windows in _HPA
        for minutes in windows
    ]


def poolkeeper_settings() -> list[Setting]:
    """Targets, headroom, and how demand is followed: its newest value or a percentile."""
    newest = [
        _ours(
            f"target {target}, headroom {headroom}, gives back after {minutes} min",
            f"target: {target}, headroom: {headroom}",
            f"stabilization: {{scale_in: {minutes}m}}",
        )
        for minutes, headroom, targets in _NEWEST
        for target in targets
    ]
    demand = [
        _ours(
            f"target {target}, headroom {headroom}, p{percentile} of {hours} h",
            f"target: {target}, headroom: {headroom}, "
            f"demand: {{percentile: {percentile}, window: {hours}h}}"
            + ("" if hours == 1 else ", interval: 5m"),
            "stabilization: {scale_in: 2m}" + ("" if hours == 1 else "\n    stale_after: 12m"),
        )
        for hours, percentile, headroom, targets in _DEMAND
        for target in targets
    ]
    return newest + demand


def _ours(label: str, policy: str, pool: str) -> Setting:
    text = POOL.format(policy=f"{policy}, {_CLOSE}", pool=_BRISK + pool)
    return Setting("poolkeeper", label, yaml=text)


def default_setting() -> Setting:
    """The one policy for every series."""
    policy, pool = DEFAULT
    return Setting("default", "the default", yaml=POOL.format(policy=policy, pool=pool))


def all_settings() -> list[Setting]:
    """Every family's configurations in equal numbers, and the default last."""
    families = [native_settings(), hpa_settings(), poolkeeper_settings()]
    assert len({len(each) for each in families}) == 1
    return [setting for each in families for setting in each] + [default_setting()]
