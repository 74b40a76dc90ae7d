"""Shares of a tenancy's metric requests: how often each of its nodes may ask, and when. Pure.

OCI Monitoring answers 10 SummarizeMetricsData a second for a whole tenancy, whoever asks. Central
hands out 8 of them, so that consoles and dashboards find room, in equal parts, and spreads the
nodes over a minute, after which every metric has a new window. Few nodes stay close together: a
second apart is room enough for what one asks at once, and a longer wait would only delay it.
"""

from collections import defaultdict
from collections.abc import Iterable

from shared.wire import MetricsBudget

REQUESTS_PER_SECOND = 8.0
SPREAD_SECONDS = 60.0
WIDEST_GAP_SECONDS = 1.0
Member = tuple[int, str | None]
"""A node's id, and the OCID of the tenancy whose metrics it reads; None: it did not say."""


def shares(
    members: Iterable[Member], requests_per_second: float = REQUESTS_PER_SECOND
) -> dict[int, MetricsBudget]:
    """Each node's part of what its tenancy has.

    Nodes that do not name their tenancy count as one tenancy of their own.

    Args:
        members: every node that reads metrics, once.
        requests_per_second: what is shared out in each tenancy.
    """
    tenancies: defaultdict[str | None, list[int]] = defaultdict(list)
    for node_id, tenancy in members:
        tenancies[tenancy].append(node_id)
    found = {}
    for nodes in tenancies.values():
        rate = requests_per_second / len(nodes)
        gap = min(SPREAD_SECONDS / len(nodes), WIDEST_GAP_SECONDS)
        for place, node_id in enumerate(sorted(nodes)):
            found[node_id] = MetricsBudget(requests_per_second=rate, phase_seconds=gap * place)
    return found


class Budgets:
    """The shares in force; made anew when nodes come or go, and read for every answer."""

    def __init__(self, requests_per_second: float = REQUESTS_PER_SECOND) -> None:
        self._requests_per_second = requests_per_second
        self._members: list[Member] = []
        self._shares: dict[int, MetricsBudget] = {}

    def share_out(self, members: list[Member]) -> None:
        """Take the nodes as they are now."""
        if members != self._members:
            self._shares = shares(members, self._requests_per_second)  # replaced as a whole
            self._members = members

    def of(self, node_id: int) -> MetricsBudget | None:
        """A node's share; None until it has been counted."""
        return self._shares.get(node_id)
