"""Splits by subject: whole, deterministic, never empty, and independent of the order of the input."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import BadInput
from core.slices import require_disjoint, split_subjects

GOLDEN = ("d/0", "d/2")
SUBJECTS = st.lists(st.text(min_size=1, max_size=5), min_size=2, max_size=30, unique=True)


@given(SUBJECTS, st.floats(0.01, 0.99), st.integers(0, 2**32), st.randoms())
def test_a_split_is_a_partition(subjects: list[str], fraction: float, seed: int, random) -> None:
    kept, held = split_subjects(subjects, fraction, seed)
    assert sorted(kept + held) == sorted(subjects)
    assert kept
    assert held
    assert len(held) == min(max(round(fraction * len(subjects)), 1), len(subjects) - 1)
    shuffled = subjects * 2
    random.shuffle(shuffled)
    assert split_subjects(shuffled, fraction, seed) == (kept, held)


@given(SUBJECTS, st.integers(1, 29), st.integers(0, 99))
def test_a_number_is_exact(subjects: list[str], count: int, seed: int) -> None:
    if count >= len(subjects):
        with pytest.raises(BadInput, match="none would be kept"):
            split_subjects(subjects, count, seed)
    else:
        assert len(split_subjects(subjects, count, seed)[1]) == count


@given(SUBJECTS, st.integers(0, 99))
def test_a_newcomer_moves_only_the_border(subjects: list[str], seed: int) -> None:
    before = set(split_subjects(subjects, 1, seed)[1])
    after = set(split_subjects([*subjects, "a newcomer"], 1, seed)[1])
    assert after in (before, {"a newcomer"})


def test_golden() -> None:
    """Changing the rule would move subjects between training and test under existing studies."""
    names = [f"d/{n}" for n in range(8)]
    assert split_subjects(names, 0.25, 0)[1] == GOLDEN
    assert split_subjects(names, 0.25, 1)[1] != GOLDEN


@pytest.mark.parametrize(("subjects", "found"), [([], "none"), (["d/a"], "only 'd/a'"), (["d/a", "d/a"], "only 'd/a'")])
def test_one_subject_only(subjects: list[str], found: str) -> None:
    with pytest.raises(BadInput, match=f"at least two subjects, and there is {found}"):
        split_subjects(subjects, 0.2, 0)


@pytest.mark.parametrize("held_out", [0.0, 1.0, -0.5, float("nan"), 0, -1])
def test_senseless_shares_are_refused(held_out: float) -> None:
    with pytest.raises(ValueError, match="held_out"):
        split_subjects(["a", "b", "c"], held_out, 0)


def test_roles_that_meet_are_named() -> None:
    require_disjoint(training={"a", "b"}, probe=("c",), test=[])
    with pytest.raises(BadInput, match="subjects 'b' and 1 more are in both training and test"):
        require_disjoint(training={"a", "b", "z"}, probe={"c"}, test={"z", "b", "y"})
