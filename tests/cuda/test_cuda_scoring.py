"""On a GPU: scores are counted as on the host, and an evaluation says what it says there."""

import numpy as np
import pytest
import torch

from core.config import Config, override
from core.evaluation import evaluate, scorer_of
from core.pixel_counts import DeviceCounts, HostCounts
from core.slices.table import SliceTable

CUDA, CPU = torch.device("cuda"), torch.device("cpu")


def test_counts_are_those_of_the_host() -> None:
    rng = np.random.default_rng(0)
    ours, theirs = DeviceCounts(CUDA, places=3), HostCounts()
    for number in range(12):
        maps = torch.from_numpy(rng.normal(-4, 3, (8, 32, 32)).astype(np.float32))
        maps[0, 0, :4] = torch.tensor([torch.inf, -torch.inf, 0.0, -0.0])
        images = torch.from_numpy(rng.integers(0, 3, (8, 32, 32)).astype(np.uint8))
        truth = torch.from_numpy(rng.integers(0, 2, (8, 32, 32)).astype(np.uint8))
        groups = [(f"subject-{number // 2}", "")] * 5 + [(f"subject-{number // 2}", "bright")] * 3
        ours.add(maps.to(CUDA), images.to(CUDA), truth.to(CUDA), groups)
        theirs.add(maps, images, truth, groups)
    for one, two in zip(ours.histograms(), theirs.histograms(), strict=True):
        assert one.keys() == two.keys()
        for group, histogram in one.items():
            assert np.array_equal(histogram.keys, two[group].keys)
            assert np.array_equal(histogram.counts, two[group].counts)


def test_a_score_that_is_not_a_number_is_refused() -> None:
    counts, slices = DeviceCounts(CUDA), torch.zeros(1, 4, 4, dtype=torch.uint8, device=CUDA)
    counts.add(torch.full((1, 4, 4), torch.nan, device=CUDA), slices, slices, [("a", "")])
    with pytest.raises(ValueError, match="16 of 16 scores are NaN"):
        counts.histograms()


def test_an_evaluation_says_what_it_says_on_the_host(lesioned: SliceTable) -> None:
    config = override(Config(), {"detector.base": 4, "detector.depth": 3})
    torch.manual_seed(0)
    detector = config.detector.build(config.loss)
    torch.nn.init.normal_(detector.unet.output.weight)  # type: ignore[union-attr, arg-type]
    detector.eval()
    there, here = (evaluate(scorer_of(detector.to(where)), lesioned, device=where).figures() for where in (CUDA, CPU))
    assert there.keys() == here.keys()
    for name, value in there.items():
        assert value == pytest.approx(here[name], abs=0.01), name  # TF32 in convolutions
