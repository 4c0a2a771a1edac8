"""Items made one ahead in a thread: the same, in order, not too many, and no thread is left."""

import threading
import time
from collections.abc import Iterator

import numpy as np
import pytest
import torch

from core.batches import Batches
from core.config import Config, override
from core.prefetching import ahead
from core.slices.table import SliceTable


def _threads() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "prefetch"]


def test_the_same_items_in_order() -> None:
    assert list(ahead(iter(range(200)))) == list(range(200))
    assert list(ahead(iter(()))) == []
    assert not _threads()


def test_an_error_comes_after_the_items_before_it() -> None:
    def failing() -> Iterator[int]:
        yield 1
        yield 2
        raise ValueError("the third")

    items = ahead(failing())
    assert [next(items), next(items)] == [1, 2]
    with pytest.raises(ValueError, match="the third"):
        next(items)
    assert not _threads()


def test_closing_ends_the_thread_and_little_was_made_in_vain() -> None:
    made: list[int] = []

    def counting() -> Iterator[int]:
        for number in range(1000):
            made.append(number)
            yield number

    items = ahead(counting())
    assert [next(items), next(items)] == [0, 1]
    time.sleep(0.05)
    items.close()
    assert not _threads()
    assert len(made) <= 4


def test_batches_made_ahead_are_the_same_bit_for_bit(healthy: SliceTable) -> None:
    config = override(Config(), {"training.batch": 8})
    batches = Batches(config, healthy, 3, np.arange(len(healthy)), torch.device("cpu"))
    pairs = list(zip(batches.epoch(2), ahead(batches.epoch(2)), strict=True))
    assert len(pairs) == 5
    for (one, _), (two, _) in pairs:
        assert torch.equal(one.image, two.image)
        assert torch.equal(one.mask, two.mask)
        assert one.generator.initial_seed() == two.generator.initial_seed()
