"""How wide an edge is blurred and how large a forced disc is, in slices that are not square too: by their height."""

import numpy as np
import pytest
from scipy import ndimage

from core.synthesis import Circle, Mix, Noise, Scale, Shift, Synthesis
from core.synthesis.pseudo_outlier import PseudoOutlier

FRAMES = pytest.mark.parametrize(("height", "width"), [(64, 64), (32, 64), (64, 32)])
SHIFT_ONLY = Mix(Noise(weight=0.0), Shift(), Scale(weight=0.0))
SCALE_ONLY = Mix(Noise(weight=0.0), Shift(weight=0.0), Scale())


def found(synthesis: Synthesis, image: np.ndarray, count: int) -> list[tuple[PseudoOutlier, np.ndarray]]:
    drawn = [synthesis.pseudo_outlier(image, 0, 1, row) for row in range(count)]
    return [(outlier, made.image) for outlier, made in drawn if outlier]


@FRAMES
def test_the_blur_of_an_edge_is_uniform_up_to_its_bound(height: int, width: int) -> None:
    grey, bound = np.full((height, width), 0.5, np.float32), 4 * height / 128
    edges = np.array([outlier.edge for outlier, _ in found(Synthesis(edge=4.0), grey, 400)])
    assert len(edges) == 400
    assert edges.max() <= bound
    np.testing.assert_allclose(np.quantile(edges, [0.1, 0.5, 0.9]) / bound, [0.1, 0.5, 0.9], atol=0.08)


@FRAMES
def test_an_edge_is_a_gaussian_of_the_recorded_width(height: int, width: int) -> None:
    """Of a disc that is shifted in a grey slice, what changed is the blurred disc."""
    grey = np.full((height, width), 0.5, np.float32)
    synthesis = Synthesis(mask=Circle(min_radius=24.0, max_radius=32.0), mix=SHIFT_ONLY, edge=8.0)
    widths = []
    for outlier, image in found(synthesis, grey, 60):
        shift = outlier.change.offset
        if abs(shift) > 0.5 or outlier.forced:
            continue  # clipped
        disc = outlier.outline.draw(height, width).astype(np.float64)
        expected = ndimage.gaussian_filter(disc, outlier.edge, mode="constant")
        np.testing.assert_allclose((image - grey) / shift, expected, atol=0.01)
        widths.append(outlier.edge)
    assert max(widths) > 6 * height / 128


@FRAMES
def test_a_forced_disc_is_an_eighth_of_the_height(height: int, width: int) -> None:
    """Nothing is seen of black that is multiplied, so each is forced."""
    outliers = [outlier for outlier, _ in found(Synthesis(mix=SCALE_ONLY), np.zeros((height, width), np.float32), 40)]
    assert all(outlier.forced for outlier in outliers)
    assert {outlier.outline.width for outlier in outliers} == {height / 8}
    areas = [int(outlier.outline.draw(height, width).sum()) for outlier in outliers]
    assert max(areas) == pytest.approx(np.pi * (height / 16) ** 2, rel=0.3)
