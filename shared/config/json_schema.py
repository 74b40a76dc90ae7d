"""The JSON Schema of the file, for editors and for checks outside of Poolkeeper."""

import json
from typing import Any

from shared.config.keys import NOT_DEFAULTABLE, all_sections
from shared.config.models import Config
from shared.config.section import Section
from shared.config.spelling import default_of, range_of

DIALECT = "https://json-schema.org/draft/2020-12/schema"


def json_schema() -> dict[str, Any]:
    """Describe a file in JSON Schema, draft 2020-12.

    What a schema cannot say (targets inside limits, known pool names, MQL) is left to the loader:
    every file that loads is valid here, not the reverse.
    """
    schema = Config.model_json_schema(by_alias=True)
    parts = schema.pop("$defs")
    for section in all_sections():
        described = schema if section is Config else parts[section.__name__]
        _improve(section, described)
    parts["Defaults"] = _defaults(parts["Pool"])
    inherited = [key for key in parts["Pool"]["required"] if key not in NOT_DEFAULTABLE]
    parts["Pool"]["required"] = list(NOT_DEFAULTABLE)
    schema["properties"] = _with_defaults(schema["properties"])
    return {
        "$schema": DIALECT,
        "title": "Poolkeeper configuration",
        **{key: value for key, value in schema.items() if key != "title"},
        "allOf": [_in_defaults_or_in_every_pool(key) for key in inherited],
        "$defs": parts,
    }


def render() -> str:
    """The schema as text: what `poolkeeper config schema` prints and docs/ holds."""
    return json.dumps(json_schema(), indent=2, ensure_ascii=False) + "\n"


def _improve(section: type[Section], described: dict[str, Any]) -> None:
    """Spell defaults as the file does, name ranges, and drop titles made from Python names."""
    described.pop("title", None)
    for name, field in section.model_fields.items():
        part = described["properties"][field.alias or name]
        part.pop("title", None)
        part.pop("default", None)
        default = default_of(field)
        if default is not None:
            part["default"] = default
        bounds = range_of(field)
        if bounds and part.get("type") not in ("integer", "number"):
            part["description"] = f"{part['description']} ({bounds})"
        for marker in field.metadata:
            if part.get("type") == "number" and hasattr(marker, "gt"):
                part["exclusiveMinimum"] = marker.gt
            if part.get("type") == "number" and hasattr(marker, "ge"):
                part["minimum"] = marker.ge


def _defaults(pool: dict[str, Any]) -> dict[str, Any]:
    keys = {key: part for key, part in pool["properties"].items() if key not in NOT_DEFAULTABLE}
    return {
        "type": "object",
        "description": "Any key of a pool except its name and OCID, for every pool that does not"
        " say otherwise. Mappings merge deeply, lists are replaced.",
        "additionalProperties": False,
        "properties": keys,
    }


def _with_defaults(properties: dict[str, Any]) -> dict[str, Any]:
    together = {}
    for key, part in properties.items():
        if key == "pools":
            together["defaults"] = {"$ref": "#/$defs/Defaults"}
        together[key] = part
    return together


def _in_defaults_or_in_every_pool(key: str) -> dict[str, Any]:
    """A key without a default of its own that `defaults` may supply."""
    return {
        "if": {"not": {"properties": {"defaults": {"required": [key]}}, "required": ["defaults"]}},
        "then": {"properties": {"pools": {"items": {"required": [key]}}}},
    }
