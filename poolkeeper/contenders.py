"""Who takes part in a replay: the configuration itself and what it is compared with."""

from dataclasses import dataclass, fields
from datetime import timedelta
from pathlib import Path
from typing import Any, TypeVar

import click

from poolkeeper.inputs import Failure, plan_of, read_config
from shared.config.models import Config
from shared.config.units import parse_duration
from shared.engine.plan import Plan
from shared.replay.engine import EngineScaler, replayable, target_of
from shared.replay.hpa import HpaRule, HpaScaler
from shared.replay.native import NativeRule, NativeScaler
from shared.replay.pool import World
from shared.replay.run import Scaler
from shared.replay.trace import Trace

_Rule = TypeVar("_Rule", NativeRule, HpaRule)


@dataclass(frozen=True, slots=True)
class Contender:
    """One column of the comparison.

    Attributes:
        name: `poolkeeper` for the configuration itself, else what --against named.
        settings: the numbers by which it decides, where it has no file.
        skipped: policies that do not follow from recorded demand and were left out.
    """

    name: str
    scaler: Scaler
    settings: dict[str, Any]
    skipped: tuple[str, ...] = ()


def from_config(name: str, config: Config, pool: str, trace: Trace, lag: timedelta) -> Contender:
    """The engine with a configuration. Raises Failure when nothing of it can be replayed."""
    had = len(plan_of(config, pool).pool.policies)
    usable, skipped = replayable(config, pool)
    if had and len(skipped) == had:
        raise Failure(
            f"pool {pool}: no policy follows from demand ({', '.join(skipped)}): percent and"
            " per_instance ones do"
        )
    try:
        scaler = EngineScaler(Plan.of(usable, pool), trace, lag)
    except ValueError as error:
        raise Failure(f"pool {pool}: {error}; choose another --step") from None
    return Contender(name, scaler, {}, tuple(skipped))


def opponent(text: str, plan: Plan, trace: Trace, world: World) -> Contender:
    """What --against names: native or hpa, perhaps with settings, or another configuration."""
    kind, _, settings = text.partition(":")
    if kind == "native":
        native = _configured(NativeRule(), settings, text)
        scaler: Scaler = NativeScaler(native, plan.pool.limits, trace.step)
        return Contender(text, scaler, _numbers(native))
    if kind == "hpa":
        rule = _configured(HpaRule(target=float(target_of(plan))), settings, text)
        if not rule.target:
            raise Failure(f"--against: {text!r}: target must be above 0")
        return Contender(text, HpaScaler(rule, plan.pool.limits, trace.step), _numbers(rule))
    path = Path(text)
    if not path.exists():
        raise Failure(f"--against: {text!r} is neither native nor hpa nor a file")
    return from_config(text, read_config(path), plan.pool.name, trace, world.lag)


def _configured(rule: _Rule, settings: str, text: str) -> _Rule:
    """A rule with `key=value,…` applied."""
    values = {field.name: getattr(rule, field.name) for field in fields(rule)}
    for part in filter(None, settings.split(",")):
        key, _, value = part.partition("=")
        if key not in values:
            raise Failure(f"--against: {text!r}: {key!r} is none of {', '.join(values)}")
        try:
            values[key] = _like(values[key], value)
        except ValueError:
            raise Failure(f"--against: {text!r}: {value!r} does not fit {key}") from None
    if any(value < type(value)(0) for value in values.values()):
        raise Failure(f"--against: {text!r}: settings must not be negative")
    return type(rule)(**values)


def _like(known: object, text: str) -> Any:
    if isinstance(known, timedelta):
        return parse_duration(text)
    return int(text) if isinstance(known, int) else float(text)


def _numbers(rule: NativeRule | HpaRule) -> dict[str, Any]:
    values = {field.name: getattr(rule, field.name) for field in fields(rule)}
    return {
        key: value.total_seconds() if isinstance(value, timedelta) else value
        for key, value in values.items()
    }


class DurationType(click.ParamType[timedelta]):
    """A duration with its unit on the command line: 90s, 3m, 1h."""

    name = "duration"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> timedelta:
        """Read it, or fail with a sentence."""
        try:
            return parse_duration(value)
        except ValueError as error:
            self.fail(f"{value!r} {error}", param, ctx)
