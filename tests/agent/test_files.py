"""Sealed files: a torn or foreign one is recognised, set aside, and the older copy is used."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.errors import StateError
from agent.files import previous_of, read_sealed, seal, unseal, write_atomically, write_sealed

CONTENT = {"pools": {"web": [1, 2, "ü"]}, "n": 1.5}


def test_what_is_sealed_can_be_unsealed() -> None:
    assert unseal(seal(CONTENT)) == CONTENT


@given(st.integers(0, len(seal(CONTENT).encode()) - 2), st.integers(1, 255))
@pytest.mark.fault(12)
def test_any_flipped_byte_is_noticed(position: int, flip: int) -> None:
    raw = bytearray(seal(CONTENT).encode())
    raw[position] ^= flip
    try:
        text = raw.decode()
    except UnicodeDecodeError:
        return
    try:
        found = unseal(text)
    except StateError:
        return
    assert found == CONTENT, "the damage was only in the spelling"


@given(st.integers(0, len(seal(CONTENT)) - 2))
@pytest.mark.fault(12)
def test_any_torn_file_is_noticed(length: int) -> None:
    with pytest.raises(StateError):
        unseal(seal(CONTENT)[:length])


@pytest.mark.parametrize(
    "text", ["", "\0" * 100, "[]", "null", '{"format":2,"sha256":"x","content":{}}', "[" * 5000]
)
@pytest.mark.fault(13)
def test_a_foreign_file_is_no_state(text: str) -> None:
    with pytest.raises(StateError):
        unseal(text)


@pytest.mark.parametrize("damage", ["", "torn", "\0\0\0"])
@pytest.mark.fault(12, 13)
def test_the_older_copy_is_used_and_the_damaged_file_kept_aside(
    damage: str, tmp_path: Path
) -> None:
    path = tmp_path / "state.json"
    write_sealed(path, {"n": 1})
    write_sealed(path, {"n": 2})
    path.write_text(damage)
    problems: list[str] = []
    assert read_sealed(path, stamp="t", on_problem=problems.append) == {"n": 1}
    assert (tmp_path / "state.json.corrupt-t").read_text() == damage
    assert len(problems) == 1


def test_without_any_file_there_is_nothing_and_no_complaint(tmp_path: Path) -> None:
    assert read_sealed(tmp_path / "none", stamp="t", on_problem=pytest.fail) is None


def test_when_both_copies_are_bad_it_starts_anew(tmp_path: Path) -> None:
    path = tmp_path / "state.json"
    path.write_text("x")
    previous_of(path).write_text("y")
    problems: list[str] = []
    assert read_sealed(path, stamp="t", on_problem=problems.append) is None
    assert len(problems) == 2


@pytest.mark.fault(9)
def test_a_write_that_fails_leaves_the_old_file_and_no_litter(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "state.json"
    write_atomically(path, "old")

    def refuse(_: int) -> None:
        raise OSError(5, "Input/output error")

    # A disk that cannot flush cannot be had without root; the call is the boundary.
    monkeypatch.setattr("agent.files.os.fsync", refuse)
    with pytest.raises(OSError, match="Input/output"):
        write_atomically(path, "new", keep_previous=True)
    assert path.read_text() == "old"
    assert [entry.name for entry in tmp_path.iterdir()] == ["state.json"]
