"""Values as the file spells them, and what the models say about a key; for schema and reference."""

from datetime import timedelta
from fractions import Fraction
from types import UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from shared.config.fields import WEEKDAYS, format_days
from shared.config.models import as_file_keys
from shared.config.rules import Within
from shared.config.section import Section
from shared.config.units import Amount, Noun, format_amount, format_duration, format_percent

_PLAIN_NOUNS = {bool: "true or false", int: "whole number", str: "text"}
_TITLES = {
    "Config": "the file",
    "MetricPolicy": "every policy",
    "TargetTracking": "target_tracking policy",
    "Step": "step policy",
    "OutLadder": "scale_out of a step policy",
    "OutStep": "one step of scale_out",
    "InLadder": "scale_in of a step policy",
    "InStep": "one step of scale_in",
}
_BOUNDS = {"ge": "at least", "gt": "above", "le": "at most", "lt": "below"}


def default_of(field: FieldInfo) -> Any:
    """The default of a key as the file would spell it; None when there is none."""
    value = field.get_default(call_default_factory=True, validated_data={})
    return None if value is PydanticUndefined else spelled(value)


def spelled(value: Any) -> Any:
    """A value of the models as plain YAML: `5m`, `10%`, [mon, tue]."""
    match value:
        case timedelta():
            return format_duration(value)
        case Fraction():
            return format_percent(value)
        case Amount():
            return format_amount(value)
        case frozenset():
            days = format_days(value)
            return ["mon-sun"] if len(days) == len(WEEKDAYS) else days
        case Section():
            return {key: part for key, part in as_file_keys(value).items() if part is not None}
        case _:
            return value


def range_of(field: FieldInfo) -> str:
    """The bounds of a key in words, such as `at least 1, at most 100`; empty without bounds."""
    words = []
    share = noun_of(field.annotation, field.metadata) == "percentage"
    for marker in field.metadata:
        if isinstance(marker, Within):
            words.append(str(marker))
        for attribute, word in _BOUNDS.items():
            bound = getattr(marker, attribute, None)
            if bound is not None:
                words.append(f"{word} {format_percent(Fraction(bound)) if share else bound}")
    return " and ".join(words)


def noun_of(annotation: Any, markers: Any = ()) -> str:
    """What a key holds, in words: `duration`, `list of names` …; sections are links."""
    for marker in markers:
        if isinstance(marker, Noun):
            return marker.word
    origin, inside = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return noun_of(inside[0], inside[1:])
    if origin in (Union, UnionType):
        nouns = [noun_of(part) for part in inside if part is not type(None)]
        return " or ".join(dict.fromkeys(nouns))
    if origin is list:
        noun = noun_of(inside[0])
        return f"list of {noun} entries" if "](" in noun else f"list of {noun}s"
    if origin is Literal:
        return " or ".join(f"`{choice}`" for choice in inside)
    if isinstance(annotation, type) and issubclass(annotation, Section):
        return link_to(annotation)
    return _PLAIN_NOUNS.get(annotation, "value")


def link_to(section: type[Section]) -> str:
    """A Markdown link to the part of the reference about a section."""
    word = title_of(section)
    return f"[{word}](#{word.replace(' ', '-')})"


def title_of(section: type[Section]) -> str:
    """The heading of a section in the reference, in lower case."""
    name = section.__name__
    letters = "".join(f"_{c.lower()}" if c.isupper() else c for c in name)
    return _TITLES.get(name, letters.removeprefix("_"))
