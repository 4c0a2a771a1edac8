"""Whatever bytes are damaged: a volume is read as finite numbers or refused in one sentence, without much memory."""

import gzip
import resource
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.slices.nifti import claimed_size, read_volume
from tests.faults.fuzz_volumes import EXTREMES, KINDS, Edit, damaged, outcome, valid

CONTENT = st.one_of(st.sampled_from(EXTREMES), st.binary(min_size=1, max_size=8))
HOW = st.sampled_from(["over", "in", "out", "end"])
IN_THE_HEADER = st.builds(Edit, HOW, st.integers(0, 351), CONTENT)
ANYWHERE = st.builds(Edit, HOW, st.integers(0, 1 << 16), CONTENT)
pytestmark = pytest.mark.filterwarnings("error")


@given(
    kind=st.sampled_from(KINDS),
    before=st.lists(st.one_of(IN_THE_HEADER, ANYWHERE), max_size=3),
    packed=st.booleans(),
    after=st.lists(ANYWHERE, max_size=2),
)
@settings(max_examples=400, deadline=None)
def test_read_or_refused(
    kind: str, before: list[Edit], packed: bool, after: list[Edit], tmp_path_factory: pytest.TempPathFactory
) -> None:
    name, content = damaged(kind, before, packed, after)
    path = tmp_path_factory.getbasetemp() / name
    path.write_bytes(content)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    told = outcome(path)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - peak < 64 << 10  # KiB
    assert told == "read" or before or after
    assert claimed_size(path) >= 0


@given(kind=st.sampled_from(KINDS), edits=st.lists(ANYWHERE, min_size=1, max_size=3))
@settings(max_examples=400, deadline=None)
def test_no_damage_behind_the_check_sum(kind: str, edits: list[Edit], tmp_path_factory: pytest.TempPathFactory) -> None:
    """What is damaged after it was packed is refused, or it does not matter."""
    path = tmp_path_factory.getbasetemp() / "c.nii.gz"
    path.write_bytes(damaged(kind, [], True, edits)[1])
    if outcome(path) == "read":
        found = read_volume(path).voxels
        path.write_bytes(damaged(kind, [], True, [])[1])
        assert (read_volume(path).voxels == found).all()


@pytest.mark.parametrize("packed", [False, True])
def test_a_claim_of_two_gibibytes_takes_none(packed: bool, tmp_path: Path) -> None:
    """The file holds a thousandth of a thousandth of what its header tells of."""
    edit = Edit("over", 40, b"\x03\x00" + 3 * b"\x26\x03")  # 806 voxels cubed
    name, content = damaged("<int16", [edit], packed, [])
    path = tmp_path / name
    path.write_bytes(content)
    assert claimed_size(path) == 4 * 806**3
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert outcome(path).startswith("is cut short, with # bytes of the #")
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - peak < 64 << 10


@pytest.mark.parametrize("kind", KINDS)
def test_members_and_padding(kind: str, tmp_path: Path) -> None:
    """A packed file may have several members, of any length, and zeros or other bytes behind them."""
    plain, packed = tmp_path / "a.nii", tmp_path / "b.nii.gz"
    content = valid(kind)
    plain.write_bytes(content)
    expected = read_volume(plain).voxels
    for sizes, behind in (([1, 5], b""), ([300, 200, 0], bytes(700)), ([], b"no member"), ([0], b"\0\0no member")):
        ends = [*sizes, len(content)]
        members, at = [], 0
        for size in ends:
            members.append(gzip.compress(content[at : at + size]))
            at += size
        packed.write_bytes(b"".join(members) + behind)
        assert (read_volume(packed).voxels == expected).all()
