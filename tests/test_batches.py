"""Batches drawn by other processes are those that this one would draw, and their processes end with them."""

import gc
import multiprocessing

import numpy as np
import pytest
import torch

from core.batches import Batches
from core.config import Config, override
from core.presets import PRESETS
from core.slices.table import SliceTable

FPI = override(PRESETS["fpi"], {"training.batch": 8})  # borrows from other slices
HEALTHY = override(Config(), {"training.batch": 8, "detector.kind": "vq-vae"})  # sees no pseudo-outliers


@pytest.mark.parametrize("config", [FPI, HEALTHY])
def test_batches_of_other_processes_are_the_same_bit_for_bit(config: Config, healthy: SliceTable) -> None:
    cpu, rows = torch.device("cpu"), np.arange(3, len(healthy))
    alone, ahead = (Batches(config, healthy, 3, rows, cpu, workers) for workers in (0, 2))
    for number in (2, 3, 2):
        pairs = list(zip(alone.epoch(number), ahead.epoch(number), strict=True))
        assert len(pairs) == 5
        for (one, drawn), (two, again) in pairs:
            for name in ("image", "mask", "clean"):
                assert torch.equal(getattr(one, name), getattr(two, name))
            assert (one.progress, one.generator.initial_seed()) == (two.progress, two.generator.initial_seed())
            assert drawn[-2:] == again[-2:]


def test_processes_end_with_a_training_that_is_given_up(healthy: SliceTable) -> None:
    before = set(multiprocessing.active_children())
    batches = Batches(FPI, healthy, 3, np.arange(len(healthy)), torch.device("cpu"), 2)
    epoch = batches.epoch(1)
    next(epoch)
    assert len(set(multiprocessing.active_children()) - before) == 2
    epoch.close()  # type: ignore[attr-defined]
    del batches, epoch
    gc.collect()
    assert set(multiprocessing.active_children()) == before
