"""One agent, however it restarts and however its heartbeats arrive, is never taken for two."""

from random import Random

from hypothesis import given
from hypothesis import strategies as st

from central.ingest import rivals
from central.ingest.model import RIVAL_BEATS, NodeState
from central.ingest.rivals import Hearing
from shared.wire import Heartbeat
from tests.heartbeats import NOON, beat


def heartbeat(boot: str, sequence: int) -> Heartbeat:
    return Heartbeat.model_validate(beat(sequence, boot_id=f"boot-{boot}"))


def hear(node: NodeState, *beats: Heartbeat) -> int:
    """Let a node hear heartbeats, within its deadline; returns how often two agents were told."""
    told = 0
    for one in beats:
        heard = rivals.hear(node, one)
        if heard is Hearing.NEWEST:
            rivals.follow(node, one)
        elif heard is Hearing.RIVAL:
            told += rivals.count(node, one, NOON)
    return told


lives = st.lists(st.integers(1, 6), min_size=1, max_size=12)


@given(lives, st.randoms(use_true_random=False))
def test_restarts_repeats_and_delays_are_one_agent(lengths: list[int], chance: Random) -> None:
    """Only the last heartbeat of a life can still be under way when the next life has begun."""
    node, arrivals = NodeState(1, "ACTIVE"), list[Heartbeat]()
    delayed: list[Heartbeat] = []
    for life, length in enumerate(lengths):
        beats = [heartbeat(f"life-{life}", sequence) for sequence in range(1, length + 1)]
        arrivals += [one for one in beats[:-1] for _ in range(chance.choice((1, 2)))]
        arrivals += delayed
        delayed = beats[-1:]
    assert hear(node, *arrivals, *delayed) == 0
    assert not node.has_duplicate


@given(st.lists(st.booleans(), min_size=1, max_size=60))
def test_two_agents_are_told_once_and_one_of_them_is_the_node(turns: list[bool]) -> None:
    node, counts = NodeState(1, "ACTIVE"), {"old": 1, "new": 1}
    told = hear(node, heartbeat("old", 1), heartbeat("new", 1))
    for is_old in turns:
        who = "old" if is_old else "new"
        counts[who] += 1
        told += hear(node, heartbeat(who, counts[who]))
    assert told == (turns.count(True) >= RIVAL_BEATS)
    assert node.has_duplicate is bool(told)
    assert (node.boot_id, node.sequence) == ("boot-new", counts["new"])


@given(st.integers(3, 9), st.integers(6, 12))
def test_any_number_of_clones_is_one_episode_with_one_node(clones: int, rounds: int) -> None:
    node = NodeState(1, "ACTIVE")
    told = sum(
        hear(node, heartbeat(f"clone-{clone}", sequence))
        for sequence in range(1, rounds + 1)
        for clone in range(clones)
    )
    assert told == 1
    holder = node.boot_id
    for clone in range(clones):
        hear(node, heartbeat(f"clone-{clone}", rounds + 1))
    assert node.boot_id == holder


@given(st.booleans())
def test_whoever_speaks_while_the_node_is_silent_is_the_node(was_told: bool) -> None:
    node = NodeState(1, "ACTIVE")
    hear(node, heartbeat("old", 1), heartbeat("new", 1))
    if was_told:
        hear(node, *(heartbeat("old", sequence) for sequence in range(2, 6)))
    node.is_silent = True  # its deadline passed
    hear(node, heartbeat("old", 9))
    assert (node.boot_id, node.has_duplicate) == ("boot-old", False)
