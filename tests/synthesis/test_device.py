"""The torch drawing against the OpenCV drawing, and a batch against its elements."""

import itertools

import numpy as np
import torch

from core.config import ROBUST, Config
from core.synthesis import Brush, Circle, Square
from core.synthesis import device as on_device
from core.synthesis.outlines import Stroke
from tests.conftest import head

CPU = torch.device("cpu")


def _distance(stroke: Stroke, side: int) -> np.ndarray:
    """Distance of every pixel's centre to the polyline, by the plain formula."""
    rows, columns = np.mgrid[:side, :side].astype(np.float64)
    points = stroke.points if len(stroke.points) > 1 else np.repeat(stroke.points, 2, 0)
    nearest = np.full((side, side), np.inf)
    for start, end in itertools.pairwise(points):
        step = end - start
        along = ((rows - start[0]) * step[0] + (columns - start[1]) * step[1]) / max(float(step @ step), 1e-12)
        along = np.clip(along, 0, 1)
        away = np.hypot(rows - start[0] - along * step[0], columns - start[1] - along * step[1])
        nearest = np.minimum(nearest, away)
    return nearest


def test_strokes_agree_within_one_boundary_pixel() -> None:
    rng = np.random.default_rng(0)
    strokes = [Brush().decide(rng, 64, 64) for _ in range(1700)] + [Circle().decide(rng, 64, 64) for _ in range(300)]
    by_torch = on_device.rasterise(strokes, 64, 64, CPU).numpy()
    different = 0
    for stroke, mask in zip(strokes, by_torch, strict=True):
        assert isinstance(stroke, Stroke)
        wrong = stroke.draw(64, 64) != mask
        different += int(wrong.sum())
        if wrong.any():
            assert np.abs(_distance(stroke, 64) - stroke.width / 2)[wrong].max() <= 1
    assert different / by_torch.sum() < 0.12


def test_squares_agree_exactly() -> None:
    rng = np.random.default_rng(1)
    boxes = [Square().decide(rng, 64, 64) for _ in range(300)]
    by_torch = on_device.rasterise(boxes, 64, 64, CPU).numpy()
    np.testing.assert_array_equal(by_torch, np.stack([box.draw(64, 64) for box in boxes]))


def test_a_batch_equals_its_elements_bit_for_bit() -> None:
    slices = np.stack([head(index, 64) for index in range(12)]) / np.float32(255)
    for synthesis in (Config().synthesis, ROBUST.synthesis):
        outliers = [synthesis.pseudo_outlier(image, 5, 1, row)[0] for row, image in enumerate(slices)]
        images, labels = on_device.draw(synthesis, outliers, torch.from_numpy(slices))
        for index, outlier in enumerate(outliers):
            image, label = on_device.draw(synthesis, [outlier], torch.from_numpy(slices[index : index + 1]))
            assert torch.equal(images[index], image[0])
            assert torch.equal(labels[index], label[0])


def test_both_paths_draw_the_same_pseudo_outliers() -> None:
    slices = np.stack([head(index, 64) for index in range(60)]) / np.float32(255)
    synthesis = Config().synthesis
    decided = [synthesis.pseudo_outlier(image, 5, 1, row) for row, image in enumerate(slices)]
    images, labels = on_device.draw(synthesis, [outlier for outlier, _ in decided], torch.from_numpy(slices))
    for index, (_, drawn) in enumerate(decided):
        same = labels[index].numpy() == drawn.label
        assert same.mean() > 0.97
        np.testing.assert_allclose(images[index].numpy()[same], drawn.image[same], atol=1e-6)


def test_clean_slices_stay_clean() -> None:
    slices = torch.from_numpy(np.stack([head(index) for index in range(3)]) / np.float32(255))
    images, labels = on_device.draw(Config().synthesis, [None, None, None], slices)
    assert torch.equal(images, slices)
    assert not labels.any()
