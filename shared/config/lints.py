"""What is legal but wrong: values that cannot do what their author wanted."""

from collections.abc import Iterator
from datetime import datetime

from shared.config.lint_policies import policy_lints
from shared.config.lint_pools import pool_lints, reach_of_schedules
from shared.config.lint_schedules import schedule_lints
from shared.config.loader import Document
from shared.config.models import Config
from shared.config.places import Places
from shared.config.problems import Problem


def lint(document: Document, now: datetime | None = None) -> list[Problem]:
    """Look for what is legal but wrong, in file order.

    Args:
        document: a sound configuration.
        now: when given, what has ended by then is told too, and the daylight-saving changes of
            the following year are looked at; else those of 2026.
    """
    config, places = document.config, document.places
    found = {
        *_file_lints(config, places),
        *schedule_lints(config, places, now),
        *_ended_overrides(config, places, now),
    }
    reach = reach_of_schedules(config)
    for index, pool in enumerate(config.pools):
        found.update(pool_lints(index, pool, reach, config.poll_interval, places))
        found.update(policy_lints(index, pool, places))
    return sorted(found)


def _file_lints(config: Config, places: Places) -> Iterator[Problem]:
    if not config.pools:
        yield places.problem(("pools",), "there are no pools: the agent has nothing to do")
    first: dict[str, int] = {}
    for index, pool in enumerate(config.pools):
        known = first.setdefault(pool.instance_pool_id, index)
        if known != index:
            yield places.problem(
                ("pools", index, "instance_pool_id"),
                f"pool {config.pools[known].name!r} has the same OCID: the two would resize one"
                " instance pool against each other",
            )


def _ended_overrides(config: Config, places: Places, now: datetime | None) -> Iterator[Problem]:
    for index, override in enumerate(config.overrides):
        if now is not None and override.until <= now:
            yield places.problem(
                ("overrides", index, "until"), "this override has ended; it can be removed"
            )
