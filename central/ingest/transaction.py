"""One group commit: lock, compare, write, commit; and what its failures mean."""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field

import psycopg2
from psycopg2 import errorcodes
from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.pool import PoolProxiedConnection

from central.errors import ApiError
from central.ingest import sql
from central.ingest.adoptions import keep_configs
from central.ingest.model import Outcome, Reply, Submission
from central.ingest.offers import offer_successors
from central.ingest.plan import make_plan

GONE = ApiError(401, "unauthorized", "This node was deleted.")


class UnavailableError(Exception):
    """The database cannot commit now; nothing was acknowledged, and a retry may succeed."""


class RefusedError(Exception):
    """The database refuses something in the batch; a retry of the whole would fail again."""


class MissingPartitionError(Exception):
    """Today's partition does not exist yet."""


@dataclass(slots=True)
class Committed:
    """What became of a batch: replies, refusals, and heartbeats whose node was locked."""

    replies: list[Reply] = field(default_factory=list)
    refused: list[tuple[Submission, Outcome]] = field(default_factory=list)
    busy: list[Submission] = field(default_factory=list)


class GroupCommit:
    """Writes batches over one connection of its own, which it reopens after a failure."""

    def __init__(self, engine: Engine, interval: Callable[[], float]) -> None:
        self._engine = engine
        self._interval = interval
        self._connection: PoolProxiedConnection | None = None

    def write(self, batch: list[Submission]) -> Committed:
        """Commit a batch in one transaction.

        Raises:
            UnavailableError: the connection failed, or the server is out of a resource.
            RefusedError: a value or reference in the batch is refused.
            MissingPartitionError: create it and try again.
        """
        try:
            if self._connection is None:
                self._connection = self._engine.raw_connection()
            committed = self._transact(self._connection, batch)
            self._connection.commit()
        except (psycopg2.Error, SQLAlchemyError, ValueError) as error:
            self._recover(error)
            raise _meaning(error) from error
        return committed

    def close(self) -> None:
        """Give the connection back."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _transact(self, connection: PoolProxiedConnection, batch: list[Submission]) -> Committed:
        cursor: sql.Cursor = connection.cursor()  # type: ignore[assignment] # DB-API's is untyped
        nodes = sql.lock_nodes(cursor, (s.node_id for s in batch))
        result = Committed()
        absent = sorted({s.node_id for s in batch} - nodes.keys())
        if absent:
            existing = sql.existing_nodes(cursor, absent)
            missing = [s for s in batch if s.node_id not in nodes]
            result.busy = [s for s in missing if s.node_id in existing]
            result.refused = [(s, GONE) for s in missing if s.node_id not in existing]
            batch = [s for s in batch if s.node_id in nodes]
        if batch:
            plan = make_plan(batch, sql.load(cursor, batch, nodes))
            sql.store(cursor, plan, nodes.values(), self._interval())
            offer_successors(cursor, plan.replies, nodes)
            keep_configs(cursor, plan.replies, nodes)
            result.replies = plan.replies
        return result

    def _recover(self, error: Exception) -> None:
        """Roll back; a connection that cannot is thrown away."""
        if self._connection is None:
            return
        if isinstance(error, psycopg2.DataError | psycopg2.IntegrityError | ValueError):
            with suppress(psycopg2.Error):
                self._connection.rollback()
                return
        self._connection.invalidate()
        self._connection = None


def _meaning(error: Exception) -> Exception:
    if isinstance(error, psycopg2.IntegrityError):
        if error.pgcode == errorcodes.CHECK_VIOLATION and "no partition" in str(error):
            return MissingPartitionError()
        return RefusedError(_first_line(error))
    if isinstance(error, psycopg2.DataError | ValueError):
        return RefusedError(_first_line(error))
    return UnavailableError(_first_line(error))


def _first_line(error: Exception) -> str:
    """The cause without the statement and its values, which may be long or private."""
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__
