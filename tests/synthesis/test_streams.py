"""Random numbers by counter: of a key alone, whatever was drawn before, and whoever else draws."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from core.synthesis import Streams
from core.synthesis.streams import normal


def test_a_lane_begins_at_its_place_of_the_epochs_sequence_whatever_was_drawn_before() -> None:
    streams = Streams(7, 2)
    for row, lane in [(3, 1), (0, 0), (2**31, 5), (3, 1)]:
        bits = np.random.Philox(np.random.SeedSequence([7, 2]))
        expected = np.random.Generator(bits.advance((row << 192) + (lane << 128)))
        found = streams.of(row, lane)
        # Half a word, which a generator keeps for later, must not be left for the next lane.
        assert found.integers(2**32, dtype=np.uint32) == expected.integers(2**32, dtype=np.uint32)
        np.testing.assert_array_equal(found.random(9), expected.random(9))
        found.integers(2**32, dtype=np.uint32)


@pytest.mark.parametrize("other", [(8, 2, 3, 1), (7, 3, 3, 1), (7, 2, 4, 1), (7, 2, 3, 2), (2, 7, 3, 1)])
def test_seed_epoch_row_and_lane_each_matter(other: tuple[int, int, int, int]) -> None:
    numbers = [Streams(seed, epoch).of(row, lane).random(4) for seed, epoch, row, lane in [(7, 2, 3, 1), other]]
    assert not np.isin(*numbers).any()


def test_rows_are_independent_of_each_other() -> None:
    streams = Streams(0, 1)
    numbers = np.stack([streams.of(row).standard_normal(64) for row in range(400)])
    assert np.abs(np.corrcoef(numbers)[np.triu_indices(400, 1)]).max() < 5.5 / 8
    assert np.corrcoef(numbers)[np.triu_indices(400, 1)].std() == pytest.approx(1 / 8, rel=0.02)


def test_noise_is_of_its_seed_alone_in_any_thread() -> None:
    seeds = [2**63 - 1, 0, *range(1, 40)]
    one_by_one = [normal(seed, (40, 30)) for seed in seeds]
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(lambda seed: normal(seed, (40, 30)), seeds * 10))
    for index, noise in enumerate(together):
        np.testing.assert_array_equal(noise, one_by_one[index % len(seeds)])
    assert len({noise.tobytes() for noise in one_by_one}) == len(seeds)
    assert one_by_one[0].dtype == np.float32
