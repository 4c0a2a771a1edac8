"""Poisson blending against a sparse direct solve, who lends to whom, and labels of borrowed tissue."""

from pathlib import Path

import numpy as np
import pytest
import torch
from scipy import sparse
from scipy.sparse.linalg import spsolve

from core.config import Config
from core.drawing import Drawing
from core.presets.segmenting import FPI, MANY_TASKS, NSA, PII
from core.slices.layout import TableMetadata, VolumeSlices
from core.slices.table import SliceTable, write_table
from core.synthesis import Brush, Donors
from core.synthesis import device as on_device
from core.synthesis.blending import saturating
from core.synthesis.changes import Mixed
from core.synthesis.poisson import blend, blend_batch
from tests.conftest import head
from tests.synthesis.lending import Lender

SLICES = np.stack([head(index, 64) for index in range(8)]) / np.float32(255)
SOURCES = np.stack([head(20 + index, 64) for index in range(8)]) / np.float32(255)


def _masks() -> np.ndarray:
    rng = np.random.default_rng(0)
    brushes = [Brush(max_width=40.0).decide(rng, 64, 64).draw(64, 64) for _ in range(6)]
    return np.stack([*brushes, (rng.random((64, 64)) < 0.5).astype(np.uint8), np.ones((64, 64), np.uint8)])


def _reference(destination: np.ndarray, source: np.ndarray, mask: np.ndarray, factor: float) -> np.ndarray:
    """Pixel by pixel: the sparse system, solved directly."""
    pixels = [(r, c) for r, c in np.argwhere(mask) if 0 < r < mask.shape[0] - 1 and 0 < c < mask.shape[1] - 1]
    number = {pixel: index for index, pixel in enumerate(pixels)}
    system, right = sparse.lil_matrix((len(pixels), len(pixels))), np.zeros(len(pixels))
    for (row, column), index in number.items():
        system[index, index] = 4
        for other in ((row - 1, column), (row + 1, column), (row, column - 1), (row, column + 1)):
            kept = (1 - factor) * (destination[row, column] - destination[other])
            brought = factor * (source[row, column] - source[other])
            right[index] += kept if abs(kept) >= abs(brought) else brought
            if other in number:
                system[index, number[other]] = -1
            else:
                right[index] += destination[other]
    blended = destination.copy()
    if pixels:
        blended[tuple(np.transpose(pixels))] = spsolve(system.tocsc(), right)
    return np.clip(blended, destination.min(), destination.max())


def _between_grey_levels(slices: np.ndarray) -> np.ndarray:
    """Whole grey levels have gradients that are equally strong to the last bit, where rounding would decide."""
    return (slices + np.random.default_rng(0).uniform(0, 1 / 255, slices.shape)).astype(np.float32)


def test_poisson_blending_is_the_sparse_direct_solution() -> None:
    masks, factors = _masks(), np.linspace(0.1, 1.0, 8).tolist()
    slices, sources = _between_grey_levels(SLICES), _between_grey_levels(SOURCES)
    tensors = (torch.from_numpy(slices), torch.from_numpy(sources), torch.from_numpy(masks).float())
    together = blend_batch(*tensors, factors)
    for index, (image, source, mask, factor) in enumerate(zip(slices, sources, masks, factors, strict=True)):
        expected = _reference(image.astype(np.float64), source.astype(np.float64), mask, factor)
        np.testing.assert_allclose(blend(image, source, mask, factor), expected, atol=1e-5)
        np.testing.assert_allclose(together[index].numpy(), expected, atol=1e-5)
        alone = blend_batch(*(tensor[index : index + 1] for tensor in tensors), [factor])
        assert torch.equal(together[index], alone[0])
        np.testing.assert_array_equal(together[index].numpy()[mask == 0], image[mask == 0])


def test_donors_are_other_subjects_of_the_given_rows_at_the_same_place(healthy: SliceTable) -> None:
    rows = healthy.rows_of(healthy.subjects[:4])
    donors, rng, lenders = Donors(healthy, rows), np.random.default_rng(0), set()
    for row in rows.tolist() * 3:
        donor = donors.choose(rng, row)
        assert donor.row in rows
        assert donor.subject == healthy.subject[donor.row] != healthy.subject[row]
        assert healthy.slice_index[donor.row] == healthy.slice_index[row]
        np.testing.assert_array_equal(np.rint(donor.image * 255), healthy.images(np.array([donor.row]))[0])
        lenders.add(donor.subject)
    assert lenders == set(healthy.subjects[:4])


def test_a_single_subject_lends_to_itself(healthy: SliceTable) -> None:
    rows = healthy.rows_of(healthy.subjects[:1])
    assert abs(Donors(healthy, rows).choose(np.random.default_rng(0), int(rows[2])).row - rows[2]) == 1
    assert Donors(healthy, rows[2:3]).choose(np.random.default_rng(0), int(rows[2])).row == rows[2]


def test_volumes_of_other_spacing_meet_at_the_same_relative_place(tmp_path: Path) -> None:
    volumes = []
    for name, index in (("coarse", np.arange(10, 15)), ("fine", np.arange(30, 55)), ("single", np.array([7]))):
        slices = np.full((len(index), 4, 4), 9, np.uint8)
        volumes.append(VolumeSlices("d", name, name, slices, None, index.astype(np.int32), [None] * len(index)))
    table = write_table(tmp_path / "t.arrow", volumes, TableMetadata())
    rows, rng = np.flatnonzero(table.volume != "single"), np.random.default_rng(0)
    donors, backwards = Donors(table, rows), Donors(table, rows[::-1])
    for row in np.flatnonzero(table.volume == "coarse").tolist():
        lent = table.slice_index[donors.choose(rng, row).row]
        assert lent - 30 == 6 * (table.slice_index[row] - 10)
    # Every sixth of the fine ones lies between two coarse ones, of which the first lends.
    for row in np.flatnonzero(table.volume == "fine").tolist():
        lent = table.slice_index[donors.choose(rng, row).row]
        assert lent - 10 == np.ceil((table.slice_index[row] - 30) / 6 - 0.5)
        assert table.slice_index[backwards.choose(rng, row).row] == lent
    assert donors.choose(rng, int(np.flatnonzero(table.volume == "single")[0])).row in (0, 5)


def test_a_batch_records_its_donors_and_repeats(healthy: SliceTable) -> None:
    rows = healthy.rows_of(healthy.subjects[:4])
    drawing, chosen = Drawing(Config(synthesis=FPI.synthesis), healthy, 3, rows), np.arange(8)
    images = np.stack([healthy.images(rows[chosen]) / np.float32(255)] * 2)
    labels = np.zeros_like(images)
    first, again = (drawing.draw(image, label, 1, chosen) for image, label in zip(images, labels, strict=True))
    np.testing.assert_array_equal(*images)
    np.testing.assert_array_equal(*labels)
    changes = [outlier.change for outlier in first if outlier]
    assert changes == [outlier.change for outlier in again if outlier]
    borrowed = [change for change in changes if isinstance(change, Mixed)]
    assert borrowed
    assert {change.row for change in borrowed} <= set(rows.tolist())


def test_a_mix_that_borrows_needs_donors() -> None:
    with pytest.raises(ValueError, match="borrows from other slices"):
        FPI.synthesis.pseudo_outlier(SLICES[0], 0, 1, 0)


def test_the_soft_label_is_the_factor() -> None:
    outlier, drawn = FPI.synthesis.pseudo_outlier(SLICES[0], 0, 1, 0, Lender())
    assert outlier is not None
    assert isinstance(outlier.change, Mixed)
    assert set(np.unique(drawn.label)) == {np.float32(0), np.float32(outlier.change.factor)}


def test_the_saturating_label_grows_with_the_change_up_to_one() -> None:
    levels = np.arange(0, 30, dtype=np.float32) / 255
    found = saturating(levels)
    assert (np.diff(found) > 0).all()
    assert found[4] == pytest.approx(0.5)
    assert found[-1] > 0.99999
    _, drawn = NSA.synthesis.pseudo_outlier(SLICES[0], 0, 1, 0, Lender())
    assert drawn.label.max() > 0.99
    assert (drawn.label[np.abs(drawn.image - SLICES[0]) > 20 / 255] > 0.5).all()


@pytest.mark.parametrize("preset", [PII, NSA, MANY_TASKS], ids=["pii", "nsa", "many-tasks"])
def test_several_outliers_are_drawn_in_order_and_alike_on_both_paths(preset: Config) -> None:
    synthesis = preset.synthesis
    decided = [synthesis.pseudo_outlier(image, 1, 1, row, Lender()) for row, image in enumerate(SLICES)]
    outliers = [outlier for outlier, _ in decided]
    numbers = {len(outlier.layers) for outlier in outliers if outlier}
    assert numbers <= set(range(1, synthesis.count + 1))
    assert len(numbers) > 1 or synthesis.count == 1
    images, labels = on_device.draw(synthesis, outliers, torch.from_numpy(SLICES))
    for index, (outlier, drawn) in enumerate(decided):
        assert outlier is not None
        replayed = synthesis.draw(outlier, SLICES[index])
        np.testing.assert_array_equal(replayed.image, drawn.image)
        np.testing.assert_array_equal(replayed.label, drawn.label)
        alone = on_device.draw(synthesis, [outlier], torch.from_numpy(SLICES[index : index + 1]))
        assert torch.equal(images[index], alone[0][0])
        assert torch.equal(labels[index], alone[1][0])
        assert (np.abs(images[index].numpy() - drawn.image) > 1e-4).mean() < 0.02
        assert (np.abs(labels[index].numpy() - drawn.label) > 1e-3).mean() < 0.02
