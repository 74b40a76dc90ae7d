"""Forms as browsers send them: bounded, urlencoded, read once."""

from collections.abc import Mapping
from typing import Annotated, Any, TypeVar
from urllib.parse import parse_qsl

from fastapi import Depends, Request
from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from central.errors import ApiError

FORM_TYPE = "application/x-www-form-urlencoded"
CSRF_FIELD = "csrf_token"
MOST_FIELDS = 2000  # a patch may name every node of a page
LONGEST = 1000
Model = TypeVar("Model", bound=BaseModel)


class Form:
    """The fields of a form, in order; a name may occur several times."""

    def __init__(self, fields: list[tuple[str, str]]) -> None:
        self._fields = fields

    def get(self, name: str) -> str:
        """A field's text without space around it; empty if it was not filled in."""
        return self.raw(name).strip()

    def raw(self, name: str) -> str:
        """A field's text as it was typed, with the line ends of the form made plain."""
        text = next((value for key, value in self._fields if key == name), "")
        return text.replace("\r\n", "\n")

    def all(self, name: str) -> list[str]:
        """Every value of a field that may occur several times."""
        return [value for key, value in self._fields if key == name]

    def text(self, name: str, label: str, longest: int = LONGEST) -> str | None:
        """A field that may be left empty, which is None.

        Raises:
            ApiError: 422, naming the field, for a text that is too long.
        """
        found = self.get(name)
        if len(found) > longest:
            raise ApiError(422, "invalid", f"{label}: write at most {longest} characters.")
        return found or None

    def number(self, name: str, label: str, *, default: int | None = None) -> int:
        """A field that holds a whole number.

        Raises:
            ApiError: 422, naming the field, for anything else.
        """
        text = self.get(name)
        if not text and default is not None:
            return default
        try:
            return int(text)
        except ValueError:
            raise ApiError(422, "invalid", f"{label}: write a whole number.") from None


def checked(kind: type[Model], values: Mapping[str, Any]) -> Model:
    """The fields of a form as the message that the API takes.

    Raises:
        ApiError: 422 with what is wrong with each field; never with what was typed.
    """
    try:
        return kind.model_validate(values)
    except ValidationError as error:
        found = [
            f"{' '.join(str(part) for part in item['loc']).replace('_', ' ')}: {_words(item)}"
            for item in error.errors(include_url=False, include_input=False, include_context=False)
        ]
        sentence = f"This cannot be taken as it is: {found[0]}."
        details = [{"message": text} for text in found[1:]]
        raise ApiError(422, "invalid", sentence, details) from None


def _words(item: ErrorDetails) -> str:
    """What is wrong with a field, for people."""
    if item["type"] == "string_too_short":
        return "fill it in"
    if item["type"] == "string_pattern_mismatch":
        return "it has a letter that cannot stand there"
    return item["msg"].removeprefix("Value error, ")


def is_form(request: Request) -> bool:
    """Whether a request carries a form."""
    kind = request.headers.get("content-type", "")
    return kind.partition(";")[0].strip().lower() == FORM_TYPE


async def read_form(request: Request) -> Form:
    """The form of a request; the same one however often it is asked for.

    Raises:
        ApiError: 415 without a form, 422 for one that cannot be read.
    """
    known: Form | None = getattr(request.state, "form", None)
    if known is not None:
        return known
    if not is_form(request):
        raise ApiError(415, "type", f"Send {FORM_TYPE}.")
    try:
        text = (await request.body()).decode("utf-8")
        fields = parse_qsl(
            text, keep_blank_values=True, errors="strict", max_num_fields=MOST_FIELDS
        )
    except ValueError as error:
        raise ApiError(422, "invalid", "The form cannot be read.") from error
    form = Form(fields)
    request.state.form = form
    return form


PageForm = Annotated[Form, Depends(read_form)]
