"""Secrets: their shape, their checksum, and that only hashes are worth storing."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from central.tokens import digest, is_node_key, new_node_key, new_session_token


def test_a_key_tells_its_node_and_its_digest() -> None:
    key = new_node_key(42)
    assert key.text.startswith("pk_node_42_")
    assert is_node_key(key.text)
    assert key.digest == digest(key.text)
    assert len(key.digest) == 64
    assert key.text not in key.digest


def test_no_two_keys_are_equal() -> None:
    assert len({new_node_key(1).text for _ in range(100)}) == 100


@given(position=st.integers(8, 59), letter=st.sampled_from("0123456789abcXYZ"))
def test_a_mistyped_key_is_recognised_without_a_database(position: int, letter: str) -> None:
    key = new_node_key(1234).text
    changed = key[:position] + letter + key[position + 1 :]
    assert is_node_key(changed) == (changed == key)


@pytest.mark.parametrize("text", ["", "pk_node_", "pk_node_1_short"])
def test_other_texts_are_no_node_keys(text: str) -> None:
    assert not is_node_key(text)


def test_an_operators_token_is_no_node_key() -> None:
    assert not is_node_key(new_session_token().text)
