"""Which keys are legal at a place, read off the models."""

from functools import cache
from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin

from shared.config.models import Config, Pool
from shared.config.policy_models import MetricPolicy, policy_types
from shared.config.problems import Location
from shared.config.section import Section

NOT_DEFAULTABLE = ("name", "instance_pool_id")


def keys_of(section: type[Section]) -> tuple[str, ...]:
    """The keys of a section as the file spells them, in the order of the models."""
    return tuple(field.alias or name for name, field in section.model_fields.items())


@cache
def default_keys() -> tuple[str, ...]:
    """The keys that `defaults` may hold: those of a pool that are not its identity."""
    return tuple(key for key in keys_of(Pool) if key not in NOT_DEFAULTABLE)


def legal_keys(raw: Location) -> tuple[str, ...]:
    """The legal keys of the mapping at a location that still carries union tags."""
    if not raw:
        head = keys_of(Config)
        return (*head[: head.index("pools")], "defaults", *head[head.index("pools") :])
    if raw == ("defaults",):
        return default_keys()
    policies: dict[str, type[MetricPolicy]] = policy_types()
    section: type[Section] = Pool if raw[0] == "defaults" else Config
    for step in raw[1:] if raw[0] == "defaults" else raw:
        if isinstance(step, int):
            continue
        chosen = policies.get(step) or _field_sections(section).get(step)
        section = chosen or section
    return keys_of(section)


def all_sections(top: type[Section] = Config) -> tuple[type[Section], ...]:
    """A section and every section below it, each once, in the order of the file."""
    found = dict.fromkeys([top])
    for field in top.model_fields.values():
        for section in sections_in(field.annotation):
            found |= dict.fromkeys(all_sections(section))
    return tuple(found)


@cache
def _field_sections(section: type[Section]) -> dict[str, type[Section]]:
    """The sections that the fields of a section hold, by key; the first one of a union."""
    found = {}
    for name, field in section.model_fields.items():
        inside = sections_in(field.annotation)
        if inside:
            found[field.alias or name] = inside[0]
    return found


def sections_in(annotation: Any) -> list[type[Section]]:
    """The sections that a field of this annotation holds."""
    origin = get_origin(annotation)
    if origin is Annotated:
        return sections_in(get_args(annotation)[0])
    if origin in (Union, UnionType, list):
        return [found for part in get_args(annotation) for found in sections_in(part)]
    if isinstance(annotation, type) and issubclass(annotation, Section):
        return [annotation]
    return []
