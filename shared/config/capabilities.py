"""Which keys of the file an older agent does not know, by what it says that it can."""

from collections.abc import Collection, Iterator
from functools import cache

from pydantic.fields import FieldInfo

from shared.config.keys import all_sections
from shared.config.problems import Location, render_path
from shared.config.rules import Needs
from shared.config.section import Section

FORMAT = "config.v1"
"""The keys of the first format. Every later key has a capability of its own, see `Needs`."""


@cache
def config_capabilities() -> tuple[str, ...]:
    """What this release can read: the first format and every key that came later."""
    later = {
        needed.capability
        for section in all_sections()
        for field in section.model_fields.values()
        for needed in _needs(field)
    }
    return (FORMAT, *sorted(later))


def unknown_keys(config: Section, capabilities: Collection[str]) -> list[Location]:
    """Where a configuration writes a key that an agent with these capabilities would refuse.

    Empty for an agent that does not say which format it reads: nothing is known about it.
    """
    missing = set(config_capabilities()).difference(capabilities)
    if FORMAT in missing or not missing:
        return []
    return list(_written(config, missing, ()))


def told(locations: list[Location]) -> str:
    """`pools[0].policies[0].headroom and 3 others`."""
    first, others = render_path(locations[0]), len(locations) - 1
    return f"{first} and {others} other{'s' * (others != 1)}" if others else first


def _written(section: Section, missing: set[str], at: Location) -> Iterator[Location]:
    for name, field in type(section).model_fields.items():
        if name not in section.model_fields_set:
            continue
        here: Location = (*at, field.alias or name)
        if any(needed.capability in missing for needed in _needs(field)):
            yield here
        value = getattr(section, name)
        if isinstance(value, Section):
            yield from _written(value, missing, here)
        elif isinstance(value, list):
            for index, item in enumerate(value):
                if isinstance(item, Section):
                    yield from _written(item, missing, (*here, index))


def _needs(field: FieldInfo) -> Iterator[Needs]:
    return (marker for marker in field.metadata if isinstance(marker, Needs))
