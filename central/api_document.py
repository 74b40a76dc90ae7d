"""The OpenAPI document: what FastAPI derives from the routes, and the refusals of all of them."""

from http import HTTPStatus
from typing import Any

from fastapi import FastAPI

from shared.wire import Problem

REFUSALS = (400, 401, 403, 404, 409, 412, 413, 422, 429, 503)
SUPERSEDED = ("HTTPValidationError", "ValidationError")  # FastAPI's own; central never sends them
REFERENCE = "#/components/schemas/{model}"


class DocumentedApi(FastAPI):
    """An application whose document says of every operation that it may answer with a Problem.

    Declared on each route, the ten refusals would be ten models a route, built at every start.
    """

    def openapi(self) -> dict[str, Any]:
        """The document, made once."""
        if self.openapi_schema is None:
            self.openapi_schema = with_refusals(super().openapi())
        return self.openapi_schema


def with_refusals(document: dict[str, Any]) -> dict[str, Any]:
    """The document with every refusal that is possible anywhere, on every operation."""
    schemas = document.setdefault("components", {}).setdefault("schemas", {})
    for name in SUPERSEDED:
        schemas.pop(name, None)
    schemas["Problem"] = Problem.model_json_schema(ref_template=REFERENCE)
    content = {"application/json": {"schema": {"$ref": REFERENCE.format(model="Problem")}}}
    for operations in document["paths"].values():
        for operation in operations.values():
            for status in REFUSALS:
                described = {"description": HTTPStatus(status).phrase, "content": content}
                operation["responses"][str(status)] = described
    return document
