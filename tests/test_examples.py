"""Examples of a test table: the best, the middling and the worst, without holding a map of every slice."""

import tracemalloc
from pathlib import Path

import numpy as np
import torch

from core.examples import write_examples
from core.slices.layout import TableMetadata
from core.slices.table import write_table
from tests.conftest import volume


def test_maps_of_slices_that_are_not_shown_are_not_kept(tmp_path: Path) -> None:
    side, slices = 64, 200
    volumes = [volume(number, lesion=number == 1, slices=slices, side=side) for number in range(3)]
    table = write_table(tmp_path / "test.arrow", volumes, TableMetadata())
    cpu = torch.device("cpu")
    path = tmp_path / "examples.npz"
    tracemalloc.start()
    write_examples(path, lambda images: 8 * images - 4, table, device=cpu, score="mean")
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < len(table) * side * side * 2, "a float16 map of every slice would take as much"
    with np.load(path) as kept:
        assert kept["label"].tolist() == ["bright"] * 3 + ["healthy"] * 3
        assert kept["value"][:3].tolist() == sorted(kept["value"][:3].tolist(), reverse=True)
        np.testing.assert_allclose(kept["map"], kept["image"] / 255 * 8 - 4, atol=0.01)
