"""Rules that a value of the file keeps, told in a sentence when it does not."""

import re
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic_core import CoreSchema, core_schema

from shared.config.units import format_duration


@dataclass(frozen=True, slots=True)
class Needs:
    """Marks a key that came after the first format: only agents with this capability know it.

    Attributes:
        capability: what such agents name in their heartbeats, for instance `config.headroom`.
    """

    capability: str


@dataclass(frozen=True, slots=True)
class Matches:
    """Text of one form. Unlike a bare pattern, it complains with a sentence.

    Attributes:
        pattern: the regular expression, also shown in the JSON Schema.
        sentence: what to say when it does not match; never the value.
        examples: shown in the JSON Schema.
        max_length: in characters.
    """

    pattern: str
    sentence: str
    examples: tuple[str, ...] = ()
    max_length: int = 255

    def check(self, value: str) -> str:
        """The value, or ValueError with the sentence."""
        if len(value) > self.max_length or re.fullmatch(self.pattern, value, re.ASCII) is None:
            raise ValueError(self.sentence)
        return value

    def __get_pydantic_core_schema__(
        self, source: Any, handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        return core_schema.no_info_after_validator_function(self.check, handler(source))

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        described = dict(handler(schema))
        described |= {"pattern": f"^(?:{self.pattern})$", "maxLength": self.max_length}
        return described | ({"examples": list(self.examples)} if self.examples else {})


@dataclass(frozen=True, slots=True)
class Within:
    """A duration between two others, both allowed."""

    low: timedelta
    high: timedelta

    def check(self, value: timedelta) -> timedelta:
        """The value, or ValueError with a sentence."""
        if not self.low <= value <= self.high:
            raise ValueError(f"must be {self}")
        return value

    def __str__(self) -> str:
        if not self.low:
            return f"at most {format_duration(self.high)}"
        return f"between {format_duration(self.low)} and {format_duration(self.high)}"

    def __get_pydantic_core_schema__(
        self, source: Any, handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        return core_schema.no_info_after_validator_function(self.check, handler(source))
