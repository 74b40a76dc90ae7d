"""One call of an OCI operation, and what its parameters must be."""

import json
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from simulator.errors import ApiError, missing, not_found, too_many_requests, unreadable
from simulator.pools import Pool
from simulator.replies import Reply
from simulator.signatures import Principal
from simulator.world import World


@dataclass(frozen=True, slots=True)
class Call:
    """An authenticated request.

    Attributes:
        region: the region that the URL named; None serves every region at once.
        now: the simulated instant of the call.
        wall: the wall instant of the call.
    """

    world: World
    principal: Principal
    region: str | None
    path: dict[str, str]
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes
    now: datetime
    wall: datetime

    def required(self, name: str) -> str:
        """Return a query parameter; without it, 400 MissingParameter."""
        value = self.query.get(name, "")
        if not value:
            raise missing(name)
        return value

    def compartment(self) -> str:
        """Return compartmentId; one that the caller cannot see answers 404."""
        compartment = self.required("compartmentId")
        if compartment not in self.world.compartments:
            raise not_found()
        return compartment

    def json(self) -> dict[str, object]:
        """Return the body as an object; anything else answers 400 CannotParseRequest."""
        try:
            value = json.loads(self.body or b"{}")
        except ValueError:
            raise unreadable("The request body is not valid JSON.") from None
        if not isinstance(value, dict):
            raise unreadable("The request body must be a JSON object.")
        return value

    def spend(self, purse: str, per_second: int | None) -> None:
        """Count the call against a rate of its tenancy in wall time; too many answer 429."""
        if per_second is None:
            return
        recent = self.world.spent.setdefault((self.principal.tenancy, purse), deque())
        while recent and self.wall - recent[0] >= timedelta(seconds=1):
            recent.popleft()
        if len(recent) >= per_second:
            raise too_many_requests()
        recent.append(self.wall)

    def pool(self) -> Pool:
        """Return the pool that the path names; an unknown one, or one elsewhere, answers 404."""
        found = self.world.pools.get(self.path["instancePoolId"])
        if found is None or self.elsewhere(found.region) or not found.listed(self.now):
            raise not_found()
        return found

    def elsewhere(self, region: str) -> bool:
        """Whether a region is not the one that the URL named."""
        return self.region not in (None, region)


Handler = Callable[[Call], Reply]


def error_reply(error: ApiError, retry_after: int | None = None) -> Reply:
    """Return the answer of an error."""
    headers = {} if retry_after is None else {"retry-after": str(retry_after)}
    return Reply({"code": error.code, "message": error.message}, error.status, headers)
