"""Who is asked for a metric, and members that stay."""

import pytest

from shared.config.loader import load
from shared.config.problems import ConfigError
from tests.config_texts import HEAD

POLICY = "    policies:\n      - {name: web, type: target_tracking, target: 50, %s}\n"


def problems(keys: str) -> str:
    with pytest.raises(ConfigError) as caught:
        load(HEAD + POLICY % keys)
    return str(caught.value)


def test_promql_is_taken_as_it_is_and_its_window_is_the_interval() -> None:
    query = "'sum(rate(http_requests_total[2m])) > 0 or vector(0)'"
    config = load(HEAD + POLICY % f"source: prometheus, query: {query}, interval: 5m")
    (policy,) = config.pools[0].policies
    assert policy.source == "prometheus"
    assert policy.effective_interval.total_seconds() == 300
    assert not policy.is_percent


CASES = {
    "the same query is no MQL": ("query: 'sum(up)'", "query"),
    "a metric name": ("source: prometheus, metric: CpuUtilization", "use a PromQL `query`"),
    "a namespace": ("source: prometheus, query: sum(up), namespace: x", "use a PromQL `query`"),
    "no query": ("source: prometheus", "needs a PromQL `query`"),
    "another source": ("source: influx, query: up", "source"),
}


@pytest.mark.parametrize(("keys", "part"), CASES.values(), ids=CASES.keys())
def test_what_does_not_go_together_is_named(keys: str, part: str) -> None:
    assert part in problems(keys)


def test_protected_members_are_instances() -> None:
    member = "ocid1.instance.oc1.eu-frankfurt-1.leader"
    assert load(HEAD + f"    protected: [{member}]\n").pools[0].protected == [member]
    with pytest.raises(ConfigError, match=r"ocid1\.instance"):
        load(HEAD + "    protected: [ocid1.instancepool.oc1..web]\n")
