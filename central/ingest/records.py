"""Reading a heartbeat's body: its frame at once, its records one by one."""

import json
import re
from contextlib import suppress
from operator import attrgetter
from typing import Annotated, Any, get_args

from pydantic import Field, TypeAdapter, ValidationError
from pydantic_core import to_json

from central.errors import ApiError
from central.ingest.model import StoredRecord, Submission
from shared.wire import (
    MAX_BATCH_RECORDS,
    Heartbeat,
    Lifecycle,
    MetricSample,
    MetricType,
    PoolAnalytics,
    Record,
    Rejected,
)

LARGEST_SEQUENCE = 2**53
METRIC_TYPES = frozenset(get_args(MetricType)) - {"policy_value"}
POLICY_VALUE = re.compile(r"policy_value(:[A-Za-z0-9][A-Za-z0-9._-]{0,62})?")
_sequence = attrgetter("sequence")
_Sequence = Annotated[int, Field(strict=True, ge=1, le=LARGEST_SEQUENCE)]


class _Analytics(PoolAnalytics):
    sequence: _Sequence


class _Sample(MetricSample):
    sequence: _Sequence


class _Lifecycle(Lifecycle):
    sequence: _Sequence


_Strict = Annotated[_Analytics | _Sample | _Lifecycle, Field(discriminator="kind")]


class _Faultless(Heartbeat):
    """A heartbeat of which nothing is refused: all of it is validated in one go."""

    records: list[_Strict] = Field(  # type: ignore[assignment] # frozen, so nobody writes to it
        default_factory=list, max_length=MAX_BATCH_RECORDS
    )


_record: TypeAdapter[StoredRecord] = TypeAdapter(Record)
_frame = TypeAdapter(Heartbeat)
_faultless = TypeAdapter(_Faultless)


def read_heartbeat(node_id: int, body: bytes, ip_address: str | None) -> Submission:
    """Validate a request's body.

    Raises:
        ApiError: 422 when the frame is not a heartbeat. A bad record is only refused itself.
    """
    with suppress(ValidationError):  # what is wrong, and where, is found out below
        faultless = _faultless.validate_json(body)
        if all(_is_storable(record) for record in faultless.records):
            ordered: list[StoredRecord] = sorted(faultless.records, key=_sequence)
            return Submission(node_id, faultless, ordered, [], len(body), ip_address)
    try:
        beat = _frame.validate_json(body)
    except ValidationError as error:
        raise ApiError(422, "invalid", f"The heartbeat is not valid: {_explain(error)}.") from error
    records: list[StoredRecord] = []
    rejected: list[Rejected] = []
    for raw in beat.records:
        read = read_record(raw)
        if isinstance(read, Rejected):
            rejected.append(read)
        else:
            records.append(read)
    records.sort(key=_sequence)
    return Submission(node_id, beat, records, rejected, len(body), ip_address)


def read_record(raw: dict[str, Any]) -> StoredRecord | Rejected:
    """One record, or why it is refused."""
    sequence = raw.get("sequence")
    if type(sequence) is not int or not 1 <= sequence <= LARGEST_SEQUENCE:
        return Rejected(sequence=0, code="invalid", reason="sequence: not a number from 1 to 2^53")
    try:
        record = _record.validate_python(raw)
        if isinstance(record, PoolAnalytics) and record.decision is not None:
            json.dumps(record.decision, allow_nan=False)
    except ValidationError as error:
        return Rejected(sequence=sequence, code="invalid", reason=_explain(error))
    except ValueError:
        reason = "decision: NaN and Infinity are not JSON"
        return Rejected(sequence=sequence, code="invalid", reason=reason)
    if isinstance(record, MetricSample) and not _is_known(record.metric_type):
        reason = "metric_type: not in the list of metric types"
        return Rejected(sequence=sequence, code="invalid", reason=reason)
    return record


def _is_storable(record: StoredRecord) -> bool:
    """Whether a valid record also passes what its model cannot say; False may be a false alarm."""
    if isinstance(record, MetricSample):
        return _is_known(record.metric_type)
    if isinstance(record, PoolAnalytics) and record.decision is not None:
        text = to_json(record.decision, inf_nan_mode="constants")
        return b"NaN" not in text and b"Infinity" not in text
    return True


def _is_known(metric_type: str) -> bool:
    return metric_type in METRIC_TYPES or POLICY_VALUE.fullmatch(metric_type) is not None


def _explain(error: ValidationError) -> str:
    """The first problem, without the value, which may be a secret."""
    first = error.errors(include_input=False, include_url=False, include_context=False)[0]
    where = ".".join(str(part) for part in first["loc"])
    return f"{where}: {first['msg']}" if where else first["msg"]
