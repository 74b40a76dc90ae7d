"""What must hold between sections: unique names, known pools, targets inside limits."""

from collections.abc import Iterable, Iterator

from shared.config.explain import suggestion
from shared.config.models import AtLeast, Override, Pool, Schedule
from shared.config.places import Places
from shared.config.problems import Location, Problem, shown_key

Numbered = dict[int, Pool]  # the pools that are sound, by their position in the file


def cross_problems(
    pools: Numbered,
    schedules: dict[int, Schedule],
    overrides: dict[int, Override],
    places: Places,
    names: frozenset[str],
) -> list[Problem]:
    """Everything that does not fit together, among the sections that are sound by themselves.

    Args:
        pools: sound pools by position.
        schedules: sound schedules by position.
        overrides: sound overrides by position.
        places: where things stand in the file.
        names: the names of all pools, also of those that are not sound.
    """
    by_name = {pool.name: pool for pool in reversed(pools.values())}
    pool_names = ((index, pool.name) for index, pool in pools.items())
    schedule_names = ((index, schedule.name) for index, schedule in schedules.items())
    leases = ((index, override.pool) for index, override in overrides.items())
    return [
        *_twice(pool_names, ("pools", "name"), "pool", places),
        *_twice(schedule_names, ("schedules", "name"), "schedule", places),
        *_twice(leases, ("overrides", "pool"), "override of", places),
        *_missing_metrics_targets(pools, places),
        *_schedule_targets(schedules, by_name, places, names),
        *_override_targets(overrides, by_name, places, names),
    ]


def _twice(
    named: Iterable[tuple[int, str]], where: tuple[str, str], what: str, places: Places
) -> Iterator[Problem]:
    section, key = where
    first: dict[str, int] = {}
    for index, name in named:
        if name in first:
            line = places.node((section, first[name], key)).mark.line
            yield places.problem(
                (section, index, key), f"a second {what} {name!r}; the first is on line {line}"
            )
        else:
            first[name] = index


def _missing_metrics_targets(pools: Numbered, places: Places) -> Iterator[Problem]:
    for index, pool in pools.items():
        if isinstance(pool.on_missing_metrics, AtLeast):
            target = pool.on_missing_metrics.at_least
            location = ("pools", index, "on_missing_metrics", "at_least")
            yield from _inside(target, pool, location, places)


def _schedule_targets(
    schedules: dict[int, Schedule], pools: dict[str, Pool], places: Places, names: frozenset[str]
) -> Iterator[Problem]:
    for index, schedule in schedules.items():
        concerned = list(names) if schedule.pools is None else schedule.pools
        for position, name in enumerate(schedule.pools or ()):
            yield from _known(name, ("schedules", index, "pools", position), places, names)
        for name in sorted(set(concerned)):
            if name in pools:
                location = ("schedules", index, "target_instances")
                yield from _inside(schedule.target_instances, pools[name], location, places)


def _override_targets(
    overrides: dict[int, Override], pools: dict[str, Pool], places: Places, names: frozenset[str]
) -> Iterator[Problem]:
    for index, override in overrides.items():
        yield from _known(override.pool, ("overrides", index, "pool"), places, names)
        if override.pool in pools:
            location = ("overrides", index, "target_instances")
            yield from _inside(override.target_instances, pools[override.pool], location, places)


def _known(
    name: str, location: Location, places: Places, names: frozenset[str]
) -> Iterator[Problem]:
    if name not in names:
        near = suggestion(name, names)
        yield places.problem(location, f"no pool is named {shown_key(name)!r}{near}")


def _inside(target: int, pool: Pool, location: Location, places: Places) -> Iterator[Problem]:
    low, high = pool.limits.min, pool.limits.max
    if not low <= target <= high:
        yield places.problem(
            location, f"{target} is outside the limits of pool {pool.name!r} ({low} to {high})"
        )
