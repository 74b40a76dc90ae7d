"""200 agents and one tenancy's limit: the bars that the read schedulers keep."""

from benchmarks.read_schedulers import STALE_AFTER, measure


def test_with_centrals_budget_the_fleet_stays_below_8_a_second_and_is_never_refused() -> None:
    figures = measure(with_central=True)
    assert figures["requests_per_second"] < 8
    assert figures["refused_429"] == 0
    assert figures["longest_without_data_seconds"] <= 90


def test_without_central_back_off_keeps_every_node_served() -> None:
    figures = measure(with_central=False)
    assert figures["longest_without_data_seconds"] < STALE_AFTER
    assert figures["agents_ever_without_data_longer_than_stale_after"] == 0
