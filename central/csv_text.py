"""Rows as CSV, for spreadsheets and scripts."""

import csv
import io
import json
from collections.abc import Sequence
from datetime import datetime

from pydantic import BaseModel

FORMULA = ("=", "+", "-", "@", "\t", "\r")


def as_csv(kind: type[BaseModel], rows: Sequence[BaseModel]) -> str:
    """A head line with the model's fields, then the rows; what is unknown is an empty cell."""
    names = list(kind.model_fields)
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(names)
    writer.writerows([cell(getattr(row, name)) for name in names] for row in rows)
    return out.getvalue()


def cell(value: object) -> str:
    """A value that no spreadsheet takes for a formula: some texts are written by strangers."""
    if value is None:
        return ""
    if isinstance(value, bool | int | float):
        return str(value)
    if isinstance(value, datetime):
        return value.isoformat()
    text = json.dumps(value, default=str) if isinstance(value, list | dict) else str(value)
    return "'" + text if text.startswith(FORMULA) else text
