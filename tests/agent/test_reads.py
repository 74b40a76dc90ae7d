"""What a tick may ask of OCI, counted in the simulator's request log."""

from collections import Counter

import pytest

from tests.agent.rig import COMPARTMENT, REGION, Rig, config_yaml, pool_yaml

READS = (
    "ListInstancePools",
    "SummarizeMetricsData",
    "ListInstancePoolInstances",
    "ListWorkRequests",
)


def reads_of_a_tick(rig: Rig, tick: object) -> Counter[str]:
    rig.world.requests.clear()
    rig.world.advance(30)
    tick()  # type: ignore[operator] # the agent's tick
    return Counter({name: n for name, n in rig.requests().items() if name in READS})


def test_twenty_pools_of_a_compartment_need_three_reads_a_tick(rig: Rig) -> None:
    names = [f"pool{n}" for n in range(20)]
    for name in names:
        rig.add_pool(name, size=3, demand=150)
    agent = rig.agent(config_yaml(*(pool_yaml(name) for name in names)))
    rig.run(agent, minutes=5)

    for _ in range(8):
        reads = reads_of_a_tick(rig, agent.tick)
        assert reads["ListInstancePools"] == 1
        assert reads["SummarizeMetricsData"] <= 2
        assert reads.total() <= 3


@pytest.mark.slow
def test_a_changed_pool_costs_one_member_list_more(rig: Rig) -> None:
    names = [f"pool{n}" for n in range(20)]
    for name in names:
        rig.add_pool(name, size=3, demand=150)
    agent = rig.agent(config_yaml(*(pool_yaml(name) for name in names)))
    rig.run(agent, minutes=5)
    rig.demand("pool7", 500)

    lists, looks = 0, []
    for _ in range(20):
        reads = reads_of_a_tick(rig, agent.tick)
        assert reads["ListInstancePools"] == 1
        assert reads["SummarizeMetricsData"] <= 2
        assert reads.total() <= 3 + reads["ListInstancePoolInstances"]
        lists += reads["ListInstancePoolInstances"]
        pool = rig.world.pool("pool7").seen(rig.world.now())
        assert pool is not None
        looks.append((pool.size, pool.running, pool.state))
    assert rig.size("pool7") == 10
    assert 1 < lists <= len(set(looks)), "one list for each change that there was to see"


@pytest.mark.slow
def test_three_compartments_in_two_regions_cost_the_sum(rig: Rig) -> None:
    other = COMPARTMENT.replace("simulated", "other")
    sites = [(REGION, COMPARTMENT), (REGION, other), ("us-ashburn-1", COMPARTMENT)]
    pools = []
    for number, (region, compartment) in enumerate(sites):
        for part in range(3):
            name = f"p{number}{part}"
            found = rig.add_pool(
                name, size=2, demand=100, region=region, compartment_id=compartment
            )
            pools.append(
                pool_yaml(
                    name, instance_pool_id=found.id, region=region, compartment_id=compartment
                )
            )
    agent = rig.agent(config_yaml(*pools), oci_endpoint=f"{rig.server.url}/regions/{{region}}")
    rig.run(agent, minutes=5)

    for _ in range(6):
        reads = reads_of_a_tick(rig, agent.tick)
        assert reads["ListInstancePools"] == 3
        assert reads["SummarizeMetricsData"] <= 6
        assert reads.total() <= 9


@pytest.mark.slow
def test_each_metric_is_read_once_in_each_closed_window(rig: Rig) -> None:
    rig.add_pool("web", size=3, demand=150)
    agent = rig.agent(config_yaml(pool_yaml("web")))
    rig.run(agent, minutes=5)
    rig.world.requests.clear()

    rig.run(agent, minutes=10, every=10)

    assert rig.requests()["SummarizeMetricsData"] == 2 * 10
    assert rig.requests()["ListInstancePools"] == 60


def test_policies_that_read_the_same_share_one_query(rig: Rig) -> None:
    rig.add_pool("web", size=3, demand=150)
    policies = (
        "[{name: a, type: target_tracking, metric: CpuUtilization, target: 50},"
        " {name: b, type: target_tracking, metric: CpuUtilization, statistic: p90, target: 80},"
        " {name: c, type: step, metric: MemoryUtilization,"
        " scale_out: {for: 3m, steps: [{above: 90, add: 1}]}}]"
    )
    agent = rig.agent(config_yaml(pool_yaml("web", policies=policies)))
    rig.run(agent, minutes=5)

    assert reads_of_a_tick(rig, agent.tick)["SummarizeMetricsData"] <= 2
