"""From the validator's findings to sentences an operator understands, with their places."""

from collections.abc import Callable, Collection, Mapping
from difflib import get_close_matches
from fractions import Fraction
from typing import Any

from pydantic import ValidationError

from shared.config.keys import legal_keys
from shared.config.places import Places
from shared.config.policy_models import policy_types
from shared.config.problems import MAX_PROBLEMS, Location, Problem
from shared.config.scalars import looks_like_a_number
from shared.config.section import InconsistentError
from shared.config.units import format_percent

Finding = Mapping[str, Any]

_MANY_WORDS = 200  # comparing takes some microseconds a word, for each of a hundred problems
_YAML_1_1_BOOLEANS = frozenset({"yes", "no", "on", "off", "y", "n"})


def suggestion(word: str, known: Collection[str]) -> str:
    """`; did you mean 'limits'?`, or nothing when no known word is near or there are too many."""
    if len(word) > 64 or len(known) > _MANY_WORDS:
        return ""
    beginning = [name for name in known if len(word) > 2 and name.startswith(word)]
    near = beginning or get_close_matches(word, known, n=1, cutoff=0.6)
    return f"; did you mean {near[0]!r}?" if near else ""


def explain(
    error: ValidationError,
    places: Places,
    prefix: Location = (),
    *,
    keep: Callable[[Finding, Location], bool] = lambda _finding, _location: True,
) -> list[Problem]:
    """Say what a validation found, one problem for each.

    Args:
        error: what pydantic raised.
        places: where things stand in the file.
        prefix: where the validated section stands in the file.
        keep: decides by finding and location which of them to tell.
    """
    problems: list[Problem] = []
    findings = error.errors(include_url=False, include_context=True)
    for finding in findings[: 4 * MAX_PROBLEMS]:
        raw = (*prefix, *finding["loc"])
        location = without_tags(raw)
        if keep(finding, location):
            problems.append(_problem(finding, raw, location, places))
    return problems


def without_tags(raw: Location) -> Location:
    """Leave out the names of union members that pydantic puts between the keys."""
    kept: list[str | int] = []
    skip = False
    for index, step in enumerate(raw):
        if skip:
            skip = False
            continue
        kept.append(step)
        a_policy = isinstance(step, int) and index > 0 and raw[index - 1] == "policies"
        skip = a_policy or step == "on_missing_metrics"
    return tuple(kept)


def _problem(finding: Finding, raw: Location, location: Location, places: Places) -> Problem:
    kind = finding["type"]
    if kind == "missing":
        return places.problem(location, "is missing")
    if kind == "extra_forbidden":
        key = str(location[-1])
        near = suggestion(key, legal_keys(raw[:-1]))
        return places.problem(location, f"unknown key{near}", at_key=True)
    if kind == "union_tag_not_found":
        known = " or ".join(policy_types())
        return places.problem((*location, "type"), f"is missing: a policy's type is {known}")
    if kind == "union_tag_invalid":
        word = str(finding["input"].get("type", ""))
        near, known = suggestion(word, policy_types()), " or ".join(policy_types())
        return places.problem((*location, "type"), f"must be {known}{near}")
    cause = finding.get("ctx", {}).get("error")
    if isinstance(cause, InconsistentError):
        return places.problem((*location, *cause.at), str(cause))
    return places.problem(location, _sentence(finding, location, places.node(location).value))


def _sentence(finding: Finding, location: Location, value: object) -> str:
    kind, context = finding["type"], finding.get("ctx", {})
    if kind == "value_error":
        said = str(context["error"])
    elif kind == "literal_error":
        said = _one_of(context["expected"], value, location)
    else:
        a_bound = kind.startswith(("greater", "less"))
        if a_bound and isinstance(value, str) and value.endswith("%"):
            context = {key: format_percent(Fraction(bound)) for key, bound in context.items()}
        said = _SENTENCES.get(kind, "has a value that cannot be used here").format(**context)
    if value is None:
        return f"{said}, but has no value"
    return said + _hint(kind, said, value)


_SENTENCES = {
    "int_type": "must be a whole number",
    "int_parsing": "must be a whole number",
    "int_from_float": "must be a whole number",
    "string_type": "must be text",
    "bool_type": "must be true or false",
    "bool_parsing": "must be true or false",
    "list_type": "must be a list",
    "dict_type": "must be a mapping of keys to values",
    "model_type": "must be a mapping of keys to values",
    "model_attributes_type": "must be a mapping of keys to values",
    "greater_than_equal": "must be at least {ge}",
    "less_than_equal": "must be at most {le}",
    "greater_than": "must be above {gt}",
    "less_than": "must be below {lt}",
    "too_short": "must have at least {min_length} item(s)",
    "too_long": "must have at most {max_length} items",
    "string_too_short": "must have at least {min_length} character(s)",
    "string_too_long": "must have at most {max_length} characters",
    "frozen_instance": "cannot be changed",
}


def _one_of(expected: str, value: object, location: Location) -> str:
    if location[-1:] == ("on_missing_metrics",):
        return "must be hold, or a mapping such as {at_least: 2}"
    words = [word.strip("'") for word in expected.replace(" or ", ", ").split(", ")]
    near = suggestion(value, words) if isinstance(value, str) else ""
    return f"must be {', '.join(words[:-1])} or {words[-1]}{near}"


def _hint(kind: str, said: str, value: object) -> str:
    if kind == "string_type" and isinstance(value, int | float):
        return ": put it in quotes"
    if not isinstance(value, str):
        return ""
    if kind.startswith("bool") and value.lower() in _YAML_1_1_BOOLEANS:
        return " (yes, no, on and off are text)"
    if "number" in said and looks_like_a_number(value):
        return ", in plain decimal digits and without quotes"
    return ""
