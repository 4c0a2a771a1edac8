"""The scale of anomaly maps: fixed, strictly increasing, within (0, 1), and safe in float16."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score

from core.errors import BadInput
from core.metrics import ScoreHistogram
from core.prediction.calibration import HIGHEST, LOWEST, RARE, Calibration


def histogram(negatives: np.ndarray, positives: np.ndarray) -> ScoreHistogram:
    made = ScoreHistogram()
    made.add(np.concatenate([negatives, positives]), np.arange(len(negatives) + len(positives)) >= len(negatives))
    return made


def calibration(healthy: np.ndarray, outliers: np.ndarray) -> Calibration:
    return Calibration.from_histograms(histogram(healthy, outliers[:0]), histogram(healthy, outliers))


LOGITS = st.lists(st.floats(-60, 60, width=32), min_size=1, max_size=60).map(lambda found: np.array(found, np.float32))


@given(LOGITS, LOGITS, LOGITS)
@settings(deadline=None, max_examples=200)
def test_increasing_finite_and_within_bounds_whatever_the_probe(
    healthy: np.ndarray, outliers: np.ndarray, given_logits: np.ndarray
) -> None:
    scale = calibration(healthy, outliers)
    logits = np.sort(np.concatenate([given_logits, [-np.inf, -1e30, 1e30, np.inf]]).astype(np.float32))
    values = scale(logits)
    assert values.dtype == np.float32
    assert np.isfinite(values).all()
    assert values.min() >= np.float32(LOWEST)
    assert values.max() <= np.float32(HIGHEST)
    steps, gaps = np.diff(values), np.diff(logits)
    assert (steps >= 0).all()
    # Float32 itself ends at some distance; logits within what a network gives, apart by a tenth, never tie.
    near = (np.abs(logits[:-1]) <= 60) & (np.abs(logits[1:]) <= 60) & (gaps >= 0.1)
    assert (steps[near] > 0).all()


@pytest.mark.parametrize(("logits", "width"), [((-4.0, 0.0, 4.0), 8.0), ((0.0, 0.1, 0.2), 1.0)])
def test_beyond_its_ends_half_of_what_is_left_is_used_up_within_the_width_of_the_scale(
    logits: tuple[float, ...], width: float
) -> None:
    """Which is at least one logit, or a narrow scale would tell nothing of what lies above it."""
    scale = Calibration(logits, (0.05, 0.3, 0.9))
    beyond = scale([logits[0] - 3 * width, logits[0] - width, *logits, logits[-1] + width, logits[-1] + 3 * width])
    expected = [LOWEST + 0.049 / 4, LOWEST + 0.049 / 2, 0.05, 0.3, 0.9, HIGHEST - 0.09 / 2, HIGHEST - 0.09 / 4]
    assert beyond == pytest.approx(expected, abs=1e-6)


def test_values_tell_how_rare_a_logit_is_in_healthy_tissue() -> None:
    healthy = np.random.default_rng(0).normal(-6, 2, 400_000).astype(np.float32)
    outliers = np.random.default_rng(1).normal(6, 3, 10_000).astype(np.float32)
    scale = calibration(healthy, outliers)
    shares = [float(np.mean(scale(healthy) > value)) for value in (0.16, RARE, 0.38)]
    assert shares == pytest.approx([0.1, 0.01, 0.001], rel=0.05)
    assert np.mean(scale(outliers) > 0.95) == pytest.approx(0.001, rel=0.2)
    assert 0.49 < np.median(scale(outliers)) < 0.95


def test_average_precision_survives_float16_where_the_softmax_does_not() -> None:
    """As in the MOOD scorer: a saturated detector, whose healthy pixels reach far up and outliers farther."""
    rng = np.random.default_rng(0)
    healthy, outliers = rng.gumbel(8, 2, 300_000), rng.normal(19, 4, 4_000)
    scale = calibration(rng.gumbel(8, 2, 100_000).astype(np.float32), rng.normal(17, 4, 2_000).astype(np.float32))
    logits = np.concatenate([healthy, outliers])
    truth = np.arange(len(logits)) >= len(healthy)

    def precision(scores: np.ndarray) -> float:
        return float(average_precision_score(truth, scores))

    exact = precision(logits)
    assert precision(scale(logits)) == pytest.approx(exact, abs=1e-6)
    assert precision(scale(logits).astype(np.float16)) == pytest.approx(exact, abs=1e-3)
    saturated = 1 / (1 + np.exp(-logits))
    assert precision(saturated.astype(np.float16)) < exact - 0.1


def test_a_probe_without_outliers_or_with_one_logit_is_enough() -> None:
    scale = calibration(np.full(50, -3.0, np.float32), np.empty(0, np.float32))
    assert (np.diff(scale([-9, -3, -2.5, 0, 40])) > 0).all()


def test_a_detector_that_finds_nothing_keeps_room_above_healthy_tissue() -> None:
    healthy = np.random.default_rng(0).normal(0, 1, 20_000).astype(np.float32)
    scale = calibration(healthy, healthy[:100] - 5)
    assert scale(healthy.max()) < 0.6
    assert (np.diff(scale([4, 5, 6, 7])) > 0.01).all()


@pytest.mark.parametrize(
    ("logits", "values", "told"),
    [
        ((0.0,), (0.5,), "two or more knots"),
        ((0.0, 0.0), (0.2, 0.5), "both increase"),
        ((0.0, 1.0), (0.5, 0.2), "both increase"),
        ((0.0, float("nan")), (0.2, 0.5), "both increase"),
        ((0.0, 1.0, 2.0), (0.2, 0.5), "two or more knots"),
        ((0.0, 1.0), (0.0, 0.5), "expected 0.001 to 0.99"),
    ],
)
def test_a_wrong_scale_is_refused(logits: tuple[float, ...], values: tuple[float, ...], told: str) -> None:
    with pytest.raises(BadInput, match=told):
        Calibration(logits, values)


def test_without_healthy_pixels_or_with_nan_there_is_no_value() -> None:
    with pytest.raises(BadInput, match="no healthy slice"):
        calibration(np.empty(0, np.float32), np.ones(5, np.float32))
    with pytest.raises(ValueError, match="NaN"):
        Calibration((0.0, 1.0), (0.2, 0.5))([0.5, np.nan])
