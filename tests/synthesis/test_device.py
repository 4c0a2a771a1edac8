"""The torch drawing against the OpenCV drawing, and a batch against its elements."""

from dataclasses import replace
from typing import get_args

import cv2
import numpy as np
import pytest
import torch

from core.config import Config
from core.presets.segmenting import ROBUST
from core.synthesis import Brush, Circle, FreeForm, Mask, Square, Synthesis
from core.synthesis import device as on_device
from core.synthesis.blending import blur_radius
from core.synthesis.outlines import Several, Stroke
from tests.conftest import head
from tests.synthesis.measured import distance

MEMBERS: tuple[type[Mask], ...] = get_args(Mask)
CPU = torch.device("cpu")
SLICES = np.stack([head(index, 64) for index in range(40)]) / np.float32(255)
ROBUST_EVERYWHERE = replace(ROBUST.synthesis, probability=1.0)


def _decided(masks: list[Mask], side: int, count: int) -> list[Stroke]:
    rng = np.random.default_rng(0)
    outlines = [masks[index % len(masks)].decide(rng, side, side) for index in range(count)]
    parts = [part for one in outlines for part in (one.parts if isinstance(one, Several) else [one])]
    return [part for part in parts if isinstance(part, Stroke)]


@pytest.mark.parametrize("side", [32, 48])
def test_strokes_agree_within_one_boundary_pixel(side: int) -> None:
    wide = Brush(min_points=1, min_width=1.0, max_width=60.0, jitter=0.5)
    strokes = _decided([Brush(), wide, Circle(), FreeForm()], side, 1200)
    assert len(strokes) > 1200
    by_torch = on_device.rasterise(strokes, side, side, CPU).numpy()
    areas = np.zeros(2)
    for stroke, mask in zip(strokes, by_torch, strict=True):
        by_opencv = stroke.draw(side, side)
        areas += mask.sum(), by_opencv.sum()
        wrong = np.argwhere(by_opencv != mask)
        if len(wrong):
            assert np.abs(distance(stroke, wrong) - stroke.width / 2).max() <= 1
    assert areas[1] == pytest.approx(areas[0], rel=0.02)


def test_torch_draws_the_exact_shape() -> None:
    strokes = _decided([Brush(), Circle()], 32, 300)
    pixels = np.argwhere(np.ones((32, 32)))
    for stroke, mask in zip(strokes, on_device.rasterise(strokes, 32, 32, CPU).numpy(), strict=True):
        beyond = distance(stroke, pixels) - stroke.width / 2
        clear = np.abs(beyond) > 1e-3
        np.testing.assert_array_equal(mask.ravel()[clear], beyond[clear] <= 0)


def test_squares_agree_exactly() -> None:
    rng = np.random.default_rng(1)
    boxes = [Square().decide(rng, 64, 64) for _ in range(300)]
    by_torch = on_device.rasterise(boxes, 64, 64, CPU).numpy()
    np.testing.assert_array_equal(by_torch, np.stack([box.draw(64, 64) for box in boxes]))


@pytest.mark.parametrize("kind", [kind for kind in MEMBERS if kind not in (Brush, Circle, FreeForm)])
def test_what_is_not_drawn_as_a_line_agrees_but_for_ties(kind: type[Mask]) -> None:
    rng = np.random.default_rng(4)
    outlines = [kind().decide(rng, 48, 48) for _ in range(200)]
    by_torch = on_device.rasterise(outlines, 48, 48, CPU).numpy()
    assert np.count_nonzero(by_torch != np.stack([outline.draw(48, 48) for outline in outlines])) <= 5


@pytest.mark.parametrize("mask", [kind() for kind in MEMBERS])
@pytest.mark.parametrize("synthesis", [Config().synthesis, ROBUST.synthesis], ids=["paper", "robust"])
def test_a_batch_equals_its_elements_bit_for_bit(synthesis: Synthesis, mask: Mask) -> None:
    synthesis = replace(synthesis, mask=mask)
    slices = SLICES[:12]
    outliers = [synthesis.pseudo_outlier(image, 5, 1, row)[0] for row, image in enumerate(slices)]
    images, labels = on_device.draw(synthesis, outliers, torch.from_numpy(slices))
    for index, outlier in enumerate(outliers):
        image, label = on_device.draw(synthesis, [outlier], torch.from_numpy(slices[index : index + 1]))
        assert torch.equal(images[index], image[0])
        assert torch.equal(labels[index], label[0])


def test_a_mixed_batch_equals_its_elements() -> None:
    rng = np.random.default_rng(2)
    outlines = [kind().decide(rng, 64, 64) for kind in (*MEMBERS, *MEMBERS[::-1])]
    together = on_device.rasterise(outlines, 64, 64, CPU)
    for outline, mask in zip(outlines, together, strict=True):
        assert torch.equal(on_device.rasterise([outline], 64, 64, CPU)[0], mask)


@pytest.mark.parametrize("synthesis", [Config().synthesis, ROBUST_EVERYWHERE], ids=["paper", "robust"])
def test_both_paths_draw_the_same_but_for_the_border(synthesis: Synthesis) -> None:
    decided = [synthesis.pseudo_outlier(image, 5, 1, row) for row, image in enumerate(SLICES)]
    outliers = [outlier for outlier, _ in decided if outlier is not None]
    images, labels = on_device.draw(synthesis, outliers, torch.from_numpy(SLICES))
    masks = on_device.rasterise([outlier.outline for outlier in outliers], 64, 64, CPU).numpy()
    compared = []
    for index, (outlier, (_, drawn)) in enumerate(zip(outliers, decided, strict=True)):
        border = outlier.outline.draw(64, 64) != masks[index]
        # A pixel of the border is blurred as far as the edge reaches, and seen two pixels farther by the label's mean.
        reach = 2 * (blur_radius(outlier.edge) + 2 * (synthesis.label == "changed")) + 1
        same = cv2.dilate(border.astype(np.uint8), np.ones((reach, reach))) == 0
        np.testing.assert_allclose(images[index].numpy()[same], drawn.image[same], atol=1e-5)
        np.testing.assert_array_equal(labels[index].numpy()[same], drawn.label[same])
        compared.append(same.mean())
    assert np.mean(compared) > 0.6


def test_clean_slices_stay_clean_among_others() -> None:
    synthesis = Config().synthesis
    outlier, _ = synthesis.pseudo_outlier(SLICES[1], 0, 1, 1)
    slices = torch.from_numpy(SLICES[:3])
    images, labels = on_device.draw(synthesis, [None, outlier, None], slices)
    assert torch.equal(images[[0, 2]], slices[[0, 2]])
    assert not labels[[0, 2]].any()
    assert labels[1].any()
    assert torch.equal(on_device.draw(synthesis, [None] * 3, slices)[0], slices)
