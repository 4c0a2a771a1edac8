"""The long comparisons run at sizes that prove only that they run, and say what they found."""

from pathlib import Path

import pytest

from core.config import Config, override
from core.probes import build_probe
from core.slices.table import SliceTable
from tests.benchmarks import fidelity, growth, profile_step, shares, side_by_side
from tests.benchmarks.bench_synthesis import slices
from tests.benchmarks.bench_training import plain_steps

SMALL = {"detector.base": 2, "detector.depth": 2, "training.epochs": 1, "training.batch": 4}


def test_fidelity_pairs_the_precisions_by_seed(healthy: SliceTable, tmp_path: Path) -> None:
    probe = build_probe(healthy, tmp_path / "probe.arrow", per_family=4, clean=4)
    found = fidelity.compare(override(Config(), SMALL), healthy, probe, "cpu", [0, 1])
    assert all(len(values) == 2 for values in found.values.values())
    assert found.values["fp32"] != found.values["bf16"]  # other roundings: both really ran
    assert found.difference.seeds == 2


@pytest.mark.parametrize(
    ("values", "words"), [([0.2, 0.31, 0.4], "includes 0"), ([0.1, 0.21, 0.3], "does not include")]
)
def test_fidelity_says_whether_the_difference_is_noise(values: list[float], words: str) -> None:
    found = fidelity.Fidelity({"fp32": [0.2, 0.3, 0.41], "bf16": values})
    assert words in found.sentence


def test_trainings_side_by_side_are_counted_together() -> None:
    one, two = side_by_side.measure((2, 32, 2), "cpu", [1, 2], 2)
    assert (one.processes, one.gain, two.processes) == (1, 1.0, 2)
    assert two.rate > 0
    assert two.gain == pytest.approx(two.rate / one.rate)


def test_whole_trials_share_a_device_and_tell_where_their_time_goes() -> None:
    parts, (one, two) = shares.measure((2, 64, 4), "cpu", [1, 2], trials=1, epochs=2, count=80)
    assert one.rate > 0
    assert two.gain == pytest.approx(two.rate / one.rate)
    assert 0 < parts.training < parts.training + parts.scoring < parts.all


def test_a_step_is_divided_among_its_operators() -> None:
    config = override(Config(), {"detector.base": 2, "training.batch": 2})
    found = profile_step.shares(plain_steps(config, slices(4, 32), "cpu"), "cpu", 1)
    assert sum(one.share for one in found) == pytest.approx(1)
    assert any("convolution_backward" in one.operator for one in found)


def test_the_arithmetic_of_the_papers_training() -> None:
    """Ten epochs of 4,050 slices are 2,540 steps of batch 16, and 731 TFLOP."""
    work, least = profile_step.arithmetic(Config(), 128, "cpu")
    assert 2540 * work / 1000 == pytest.approx(731, rel=0.01)
    assert least > 0


def test_growth_compares_two_sizes_of_everything() -> None:
    found = growth.measured(tiny=True)
    assert len(found) == 5
    assert all(one.small > 0 and one.large > 0 for one in found)
