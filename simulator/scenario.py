"""What a simulated world is made of: the bodies of the admin API and the scenario file."""

from datetime import timedelta
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from simulator import load
from simulator.faults import Faults
from simulator.lifecycle import Timing


class _Spec(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class ConstantCurve(_Spec):
    """A demand that never changes."""

    kind: Literal["constant"]
    value: float = Field(ge=0)

    def build(self) -> load.Curve:
        """Return the curve."""
        return load.constant(self.value)


class StepsCurve(_Spec):
    """A demand that jumps; `points` are pairs of seconds since it was set, and the value."""

    kind: Literal["steps"]
    points: tuple[tuple[float, float], ...] = Field(min_length=1)

    def build(self) -> load.Curve:
        """Return the curve."""
        return load.steps((timedelta(seconds=at), value) for at, value in self.points)


class SineCurve(_Spec):
    """A wave with seeded noise, given as a share of the mean."""

    kind: Literal["sine"]
    mean: float = Field(ge=0)
    amplitude: float = Field(ge=0)
    period_seconds: float = Field(default=86400, gt=0)
    noise_share: float = Field(default=0, ge=0)
    seed: int = 0

    def build(self) -> load.Curve:
        """Return the curve."""
        period = timedelta(seconds=self.period_seconds)
        return load.sine(
            self.mean, self.amplitude, period, noise_share=self.noise_share, seed=self.seed
        )


class CsvCurve(_Spec):
    """A recorded demand: the text of a CSV `timestamp,value`."""

    kind: Literal["csv"]
    text: str

    def build(self) -> load.Curve:
        """Return the curve; a malformed row raises ValueError."""
        return load.recorded(self.text)


CurveSpec = Annotated[
    ConstantCurve | StepsCurve | SineCurve | CsvCurve, Field(discriminator="kind")
]


class PoolSpec(_Spec):
    """A pool to create. Times are simulated seconds; see `simulator.lifecycle.Timing`.

    Attributes:
        capacity: the demand that one instance serves at 100 % CPU.
        jitter: seeded scatter between the instances, as a share.
        provisioning: begin in PROVISIONING instead of with instances that run already.
        age_seconds: how long the pool has existed, at this size and the first value of its
            demand, so that there is a past to query; a pool in provisioning has none.
        hosts_this: the machine that the metadata service describes is the pool's first instance.
    """

    name: str = Field(min_length=1, max_length=255)
    id: str | None = None
    compartment_id: str = "ocid1.compartment.oc1..simulated"
    region: str = "eu-frankfurt-1"
    size: int = Field(default=1, ge=0, le=500)
    provisioning: bool = False
    age_seconds: float = Field(default=3600, ge=0)
    hosts_this: bool = False
    availability_domains: int = Field(default=3, ge=1, le=3)
    demand: CurveSpec = ConstantCurve(kind="constant", value=0)
    capacity: float = Field(default=100, gt=0)
    jitter: float = Field(default=0, ge=0, le=1)
    memory_base: float = Field(default=20, ge=0, le=100)
    memory_slope: float = 0.5
    samples_per_minute: int = Field(default=1, ge=1, le=6)
    shape: str = "VM.Standard.E5.Flex"
    freeform_tags: dict[str, str] = Field(default_factory=dict)
    launch_seconds: float = Field(default=90, ge=0)
    launch_batch: int = Field(default=20, ge=1)
    terminate_seconds: float = Field(default=45, ge=0)
    retry_seconds: float = Field(default=300, gt=0)
    give_up_seconds: float = Field(default=86400, gt=0)
    terminated_listed_seconds: float = Field(default=43200, ge=0)

    def timing(self) -> Timing:
        """Return how long things take."""
        return Timing(
            launch=timedelta(seconds=self.launch_seconds),
            batch=self.launch_batch,
            terminate=timedelta(seconds=self.terminate_seconds),
            retry=timedelta(seconds=self.retry_seconds),
            give_up=timedelta(seconds=self.give_up_seconds),
            terminated_listed=timedelta(seconds=self.terminated_listed_seconds),
        )


class StreamSpec(_Spec):
    """A metric stream that follows a curve, one point a minute, in any namespace.

    It has existed for `age_seconds`, at the curve's first value.
    With namespace `oci_computeagent` and no `instancePoolId` it is an instance outside any pool.
    """

    namespace: str = Field(min_length=1)
    name: str = Field(min_length=1)
    compartment_id: str = "ocid1.compartment.oc1..simulated"
    region: str = "eu-frankfurt-1"
    resource_group: str | None = None
    dimensions: dict[str, str] = Field(default_factory=dict)
    age_seconds: float = Field(default=3600, ge=0)
    curve: CurveSpec


class AutoscalingSpec(_Spec):
    """A native autoscaling configuration that somebody left on a pool."""

    pool: str
    display_name: str = "autoscaling"
    is_enabled: bool = True
    cool_down_in_seconds: int = Field(default=300, ge=300)


class KeySpec(_Spec):
    """A public key (PEM) of a user."""

    tenancy: str
    user: str
    public_key: str


class Scenario(_Spec):
    """A whole world: the content of a scenario file."""

    pools: tuple[PoolSpec, ...] = ()
    streams: tuple[StreamSpec, ...] = ()
    autoscaling: tuple[AutoscalingSpec, ...] = ()
    compartments: tuple[str, ...] = ()
    keys: tuple[KeySpec, ...] = ()
    faults: Faults = Faults()
