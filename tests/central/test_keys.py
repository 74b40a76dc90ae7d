"""The cache of node keys: quick while it may be trusted, never longer."""

from collections.abc import Callable

import pytest

from central.keys import LIFETIME_SECONDS, KeyCache
from central.tokens import digest, new_node_key

KEY = new_node_key(7).text


class Store:
    """Counts the questions; answers from what it holds."""

    def __init__(self) -> None:
        self.keys = {digest(KEY): 7}
        self.asked = 0
        self.meanwhile: Callable[[], None] = lambda: None

    def find(self, hashed: str) -> int | None:
        self.asked += 1
        found = self.keys.get(hashed)
        self.meanwhile()
        return found


@pytest.fixture
def store() -> Store:
    return Store()


@pytest.fixture
def clock() -> list[float]:
    return [1000.0]


@pytest.fixture
def cache(store: Store, clock: list[float]) -> KeyCache:
    cache = KeyCache(store.find, lambda: clock[0])
    cache.trust(True)
    return cache


def test_a_key_is_asked_for_once(cache: KeyCache, store: Store) -> None:
    assert cache.cached(KEY) is None
    assert [cache.node_of(KEY) for _ in range(3)] == [7, 7, 7]
    assert (cache.cached(KEY), store.asked) == (7, 1)


def test_an_unknown_key_is_remembered_too(cache: KeyCache, store: Store) -> None:
    stranger = new_node_key(8).text
    assert [cache.node_of(stranger) for _ in range(3)] == [None, None, None]
    assert store.asked == 1


def test_a_malformed_key_never_reaches_the_database(cache: KeyCache, store: Store) -> None:
    assert cache.node_of(KEY[:-1]) is None
    assert store.asked == 0


def test_an_entry_ends_with_its_lifetime(cache: KeyCache, store: Store, clock: list[float]) -> None:
    cache.node_of(KEY)
    clock[0] += LIFETIME_SECONDS
    assert cache.cached(KEY) == 7
    clock[0] += 0.1
    assert cache.cached(KEY) is None
    assert (cache.node_of(KEY), store.asked) == (7, 2)


def test_revocation_is_felt_at_once(cache: KeyCache, store: Store) -> None:
    cache.node_of(KEY)
    store.keys.clear()
    cache.forget()
    assert cache.cached(KEY) is None
    assert cache.node_of(KEY) is None


def test_a_revocation_during_the_lookup_is_not_overwritten(cache: KeyCache, store: Store) -> None:
    store.meanwhile = cache.forget
    assert cache.node_of(KEY) == 7
    assert cache.cached(KEY) is None


def test_deaf_means_asking_every_time(cache: KeyCache, store: Store) -> None:
    cache.node_of(KEY)
    cache.trust(False)
    assert cache.cached(KEY) is None
    assert [cache.node_of(KEY) for _ in range(3)] == [7, 7, 7]
    assert store.asked == 4


HEARD = [("7", None), ("8", 7), ("", None), ("everything", None), ("7.5", None)]


@pytest.mark.parametrize(("payload", "known"), HEARD)
def test_a_notification_is_of_one_node_or_else_of_all(
    cache: KeyCache, payload: str, known: int | None
) -> None:
    cache.node_of(KEY)
    cache.hear(payload)
    assert cache.cached(KEY) == known
