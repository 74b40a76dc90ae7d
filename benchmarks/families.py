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

DEFAULT = (
    "target: 70, tolerance: {out: 2%, in: 5%}",
    "stabilization: {scale_in: 1h}",
)
"""The policy that is recommended for every series alike; all else as the file format has it."""

_STYLES = (
    # follows every minute closely
    ("tolerance: {out: 2%, in: 5%}", "stabilization: {scale_in: 2m}"),
    # follows, and gives back after a quarter of an hour
    ("tolerance: {out: 2%, in: 5%}", "stabilization: {scale_in: 15m}"),
    # follows, and gives back after an hour
    ("tolerance: {out: 2%, in: 5%}", "stabilization: {scale_in: 1h}"),
    # sizes for the usual demand of three hours, for series that are mostly noise
    (
        "interval: 5m, tolerance: {out: 2%, in: 5%}, demand: {percentile: 60, window: 3h}",
        "stale_after: 12m",
    ),
)
"""Chosen on the first halves of the four series; each is swept over the targets."""


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
    pairs = ((50, 20), (50, 35), (60, 30), (60, 45), (70, 30), (70, 50), (80, 40), (90, 60))
    return [
        Setting("native", f"above {a}, below {b}, +{add}/-{remove}", NativeRule(a, b, add, remove))
        for a, b in pairs
        for add in (1, 2, 4)
        for remove in (1, 2)
    ]


def hpa_settings() -> list[Setting]:
    """Targets and stabilization windows of the HPA; its rates and tolerance are the defaults."""
    return [
        Setting(
            "hpa",
            f"target {target}, stabilization {minutes} min",
            hpa=HpaRule(target=target, stabilization=timedelta(minutes=minutes)),
        )
        for target in (30, 40, 50, 60, 70, 80, 85, 90)
        for minutes in (1, 5, 10, 15, 30, 60)
    ]


def poolkeeper_settings() -> list[Setting]:
    """Targets, and how recent demand is looked at."""
    targets = (30, 34, 38, 46, 50, 58, 62, 66, 70, 74, 82, 95)
    return [
        Setting(
            "poolkeeper",
            f"target {target}, style {style}",
            yaml=POOL.format(policy=f"target: {target}, {policy}", pool=_BRISK + pool),
        )
        for target in targets
        for style, (policy, pool) in enumerate(_STYLES, 1)
    ]


def default_setting() -> Setting:
    """The one policy for every series."""
    policy, pool = DEFAULT
    return Setting("default", "the default", yaml=POOL.format(policy=policy, pool=pool))


def all_settings() -> list[Setting]:
    """Every family's configurations in equal numbers, and the default last."""
    families = [native_settings(), hpa_settings(), poolkeeper_settings()]
    assert len({len(each) for each in families}) == 1
    return [setting for each in families for setting in each] + [default_setting()]
