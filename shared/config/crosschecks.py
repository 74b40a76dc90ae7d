"""What must hold between sections: unique names, known pools, targets inside limits."""

from collections.abc import Iterator
from itertools import chain, islice

from shared.config.explain import suggestion
from shared.config.models import MAX_POOL_SIZE, AtLeast, Override, Pool, Schedule
from shared.config.nodes import Node
from shared.config.places import Places
from shared.config.problems import MAX_PROBLEMS, Location, Problem, shown_key

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
    found = chain(
        _twice("pools", "name", "pool", places),
        _twice("schedules", "name", "schedule", places),
        _twice("overrides", "pool", "override of", places),
        _missing_metrics_targets(pools, places),
        _schedule_targets(schedules, by_name, places, names),
        _override_targets(overrides, by_name, places, names),
    )
    return list(islice(found, MAX_PROBLEMS + 1))


def _twice(section: str, key: str, what: str, places: Places) -> Iterator[Problem]:
    """Names that are used again, also by sections that are not sound."""
    first: dict[str, Node] = {}
    entries = places.node((section,)).value
    for index in range(len(entries) if isinstance(entries, list) else 0):
        node = places.node((section, index, key))
        name = node.value
        if not isinstance(name, str):
            continue
        if name in first:
            message = f"a second {what} {shown_key(name)!r}; the first is on line"
            yield places.problem((section, index, key), f"{message} {first[name].mark.line}")
        else:
            first[name] = node


def _missing_metrics_targets(pools: Numbered, places: Places) -> Iterator[Problem]:
    for index, pool in pools.items():
        if isinstance(pool.on_missing_metrics, AtLeast):
            target = pool.on_missing_metrics.at_least
            location = ("pools", index, "on_missing_metrics", "at_least")
            yield from _inside(target, pool, location, places)


def _schedule_targets(
    schedules: dict[int, Schedule], pools: dict[str, Pool], places: Places, names: frozenset[str]
) -> Iterator[Problem]:
    floor = max((pool.limits.min for pool in pools.values()), default=0)
    ceiling = min((pool.limits.max for pool in pools.values()), default=MAX_POOL_SIZE)
    for index, schedule in schedules.items():
        fits_all = floor <= schedule.target_instances <= ceiling  # the quick answer for most
        concerned = () if fits_all else schedule.pools or pools
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
