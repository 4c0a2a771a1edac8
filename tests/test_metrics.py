"""Counts against scikit-learn on the same scores: equal where a key represents them, close where it does not."""

import pickle
import tracemalloc
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from sklearn.metrics import average_precision_score, roc_auc_score, roc_curve

import core.metrics as metrics
from core.metrics import Ranking, ScoreHistogram, matched_auroc, pooled, rank
from core.score_keys import keys_of

Labelled = tuple[NDArray[np.floating], NDArray[np.bool_]]

relaxed = settings(deadline=None, max_examples=80)  # a busy machine is no failure


def histogram(scores: object, positive: object) -> ScoreHistogram:
    found = ScoreHistogram()
    found.add(np.asarray(scores, np.float32), np.asarray(positive, bool))
    return found


def same(one: ScoreHistogram, other: ScoreHistogram) -> bool:
    return np.array_equal(one.keys, other.keys) and np.array_equal(one.counts, other.counts)


def mixture(count: int, prevalence: float = 0.02, gap: float = 4.0, seed: int = 0) -> Labelled:
    """Logit differences of a fair detector."""
    rng = np.random.default_rng(seed)
    positive = rng.random(count) < prevalence
    return (rng.normal(-6, 2, count) + gap * positive).astype(np.float32), positive


@st.composite
def labelled(draw: st.DrawFn, *, width: int = 16, least: int = 0) -> Labelled:
    """Scores that repeat often, with their truth."""
    floats = st.floats(width=width, allow_nan=False)  # type: ignore[arg-type]
    some = draw(st.lists(floats, min_size=1, max_size=8))
    pairs = draw(st.lists(st.tuples(st.sampled_from(some) | floats, st.booleans()), min_size=least, max_size=60))
    kind = np.float64 if width == 64 else np.float32
    return np.array([s for s, _ in pairs], kind), np.array([p for _, p in pairs], bool)


def check_against_scikit_learn(found: Ranking, scores: NDArray[np.floating], truth: NDArray[np.bool_]) -> None:
    places = np.unique(scores, return_inverse=True)[1]  # scikit-learn refuses infinities; their order is the same
    if not truth.any():
        assert found.auroc is None
        assert found.average_precision is None
        return
    assert found.average_precision == pytest.approx(average_precision_score(truth, places), abs=1e-12)
    expected = None if truth.all() else pytest.approx(roc_auc_score(truth, places), abs=1e-12)
    assert found.auroc == expected


@given(labelled())
@relaxed
def test_float16_scores_are_exact(data: Labelled) -> None:
    found = histogram(*data).ranking()
    assert (found.positives, found.negatives) == (data[1].sum(), (~data[1]).sum())
    check_against_scikit_learn(found, *data)


def test_bfloat16_scores_are_exact() -> None:
    scores, truth = mixture(50_000)
    scores = (scores.view(np.uint32) & np.uint32(0xFFFF0000)).view(np.float32)
    check_against_scikit_learn(histogram(scores, truth).ranking(), scores, truth)


@given(labelled(width=64))
@relaxed
def test_rank_is_exact_in_float64(data: Labelled) -> None:
    check_against_scikit_learn(rank(*data), *data)


@pytest.mark.parametrize(
    "kind", ["logits", "rare", "common", "saturated", "half steps", "float16", "probabilities", "grey levels"]
)
def test_realistic_maps_are_close(kind: str) -> None:
    scores, truth = mixture(300_000, {"rare": 0.005, "common": 0.1}.get(kind, 0.02))
    match kind:
        case "saturated":
            scores = np.clip(scores * 4, -15, 15)
        case "half steps":
            scores = np.round(scores * 2) / 2
        case "float16":
            scores = scores.astype(np.float16).astype(np.float32)
        case "probabilities":
            scores = 1 / (1 + np.exp(-scores))
        case "grey levels":
            scores = np.round(np.clip(scores / 20 + 0.5, 0, 1) * 255) / 255
    found = histogram(scores, truth).ranking()
    assert found.auroc == pytest.approx(roc_auc_score(truth, scores), abs=1e-6)
    assert found.average_precision == pytest.approx(average_precision_score(truth, scores), abs=1e-4)


def test_scores_within_a_key_are_ties() -> None:
    """What the key cannot do; also, that the other tests would notice if there were no key."""
    assert histogram([1, 1 + 2**-12], [False, True]).ranking().auroc == 0.5
    assert histogram([1, 1 + 2**-11], [False, True]).ranking().auroc == 1
    assert rank([1, 1 + 2**-40], [False, True]).auroc == 1


@given(st.floats(width=32, allow_nan=False), st.floats(width=32, allow_nan=False))
@relaxed
def test_keys_keep_the_order_and_tell_their_lowest_score(one: float, two: float) -> None:
    low, high = sorted((one, two))
    first, second = histogram([low], [True]), histogram([high], [True])
    assert first.keys[0] <= second.keys[0]
    lowest = float(first.scores[0])
    assert lowest <= low
    assert same(histogram([lowest], [True]), first)
    if np.isfinite(low):
        with np.errstate(over="ignore"):
            below = np.nextafter(np.float32(lowest), np.float32(-np.inf))
        assert histogram([below], [True]).keys[0] < first.keys[0]
        assert low - lowest <= max(abs(lowest) / 2**11, 2.0**-137)


def test_zeros_are_equal_and_infinities_are_extreme() -> None:
    assert same(histogram([0.0, -0.0], [True, False]), histogram([-0.0, 0.0], [True, False]))
    assert histogram([0.0, -0.0], [True, False]).keys.size == 1
    for ends in ([-np.inf, -3e38, 3e38, np.inf], [-1e-40, -0.0, 1e-40, 2e-40]):
        assert histogram(ends, [True] * 4).keys.size == 4
        assert histogram(ends, [False, False, True, True]).ranking().auroc == 1
    assert rank([-np.inf, 0, np.inf], [False, True, True]).auroc == 1
    assert histogram([-np.inf, np.inf], [True, True]).scores.tolist() == [-np.inf, np.inf]


@pytest.mark.parametrize("figure", [rank, lambda s, p: histogram(s, p).ranking()])
def test_degenerate_scores(figure: object) -> None:
    assert figure([], []) == Ranking(None, None, 0, 0)  # type: ignore[operator]
    assert figure([1, 2], [False, False]) == Ranking(None, None, 0, 2)  # type: ignore[operator]
    assert figure([1, 2], [True, True]) == Ranking(None, 1.0, 2, 0)  # type: ignore[operator]
    constant = figure([7.0] * 10, [True] * 3 + [False] * 7)  # type: ignore[operator]
    assert (constant.auroc, constant.average_precision) == (0.5, pytest.approx(0.3))
    assert constant.prevalence == 0.3
    assert Ranking(None, None, 0, 0).prevalence == 0


@given(st.lists(st.tuples(st.integers(0, 4), st.booleans(), st.integers(0, 2)), max_size=30))
@relaxed
def test_matched_auroc_counts_the_pairs_within_a_stratum(slices: list[tuple[int, bool, int]]) -> None:
    scores, truth, stratum = np.array(slices, int).reshape(-1, 3).T
    won = [
        (one > other) + (one == other) / 2
        for one, positive, here in slices
        for other, anomalous, there in slices
        if positive and not anomalous and here == there
    ]
    assert matched_auroc(scores, truth, stratum) == (pytest.approx(np.mean(won)) if won else None)


def test_a_histogram_of_nothing_has_no_dice_and_no_curve() -> None:
    nothing = ScoreHistogram()
    assert nothing.dice_at(0) is None
    assert [part.size for part in nothing.thinned_curves()] == [0] * 4
    with pytest.raises(ValueError, match="no positives"):
        nothing.best_dice()


def test_mistakes_are_told_and_change_nothing() -> None:
    found = histogram([1.0], [True])
    for add in (found.add, rank):
        with pytest.raises(ValueError, match="2 of 4 scores are NaN"):
            add([np.nan, 1, np.inf, np.nan], [True] * 4)
        with pytest.raises(ValueError, match=r"scores have shape \(2, 3\), their truth \(3, 2\)"):
            add(np.zeros((2, 3)), np.zeros((3, 2), bool))
    assert same(found, histogram([1.0], [True]))


@given(labelled(width=32), labelled(width=32), labelled(width=32))
@relaxed
def test_merging_is_commutative_and_associative(a: Labelled, b: Labelled, c: Labelled) -> None:
    one, two, three = (histogram(*each) for each in (a, b, c))
    whole = histogram(*(np.concatenate(parts) for parts in zip(a, b, c, strict=True)))
    assert same((one + two) + three, whole)
    assert same(one + (two + three), whole)
    assert same(three + two + one, whole)
    for few in (metrics._FEW, 1):  # by sorting, and in a table
        with pytest.MonkeyPatch.context() as patched:
            patched.setattr(metrics, "_FEW", few)
            assert same(pooled([two, ScoreHistogram(), three, one]), whole)
            assert same(pooled([ScoreHistogram()]), ScoreHistogram())
    assert same(one, histogram(*a))  # summands stay as they are
    one.merge(two)
    one.add(*c)
    assert same(one, whole)
    assert (np.diff(whole.keys.astype(np.int64)) > 0).all()


def test_large_arrays_batches_and_workers_count_alike() -> None:
    scores, truth = mixture(5_000_000)  # more than are sorted, more than one chunk
    tracemalloc.start()
    whole = histogram(scores, truth)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 150e6
    batches = ScoreHistogram()
    for start in range(0, scores.size, 700_001):
        batches.add(scores[start : start + 700_001], truth[start : start + 700_001])
    assert same(whole, batches)
    many = [histogram(part, label) for part, label in zip(scores.reshape(100, -1), truth.reshape(100, -1), strict=True)]
    assert same(whole, pooled(many))
    halves = [histogram(part, label) for part, label in zip(np.split(scores, 2), np.split(truth, 2), strict=True)]
    assert same(whole, pooled(pickle.loads(pickle.dumps(half)) for half in halves))  # noqa: S301
    grid = ScoreHistogram()
    grid.add(scores.reshape(5, 1000, 1000).transpose(2, 0, 1), truth.reshape(5, 1000, 1000).transpose(2, 0, 1))
    assert same(whole, grid)


def test_scores_beyond_the_most_at_once_count_alike(monkeypatch: pytest.MonkeyPatch) -> None:
    scores, truth = mixture(700_000)
    whole = histogram(scores, truth)
    monkeypatch.setattr(metrics, "MOST", 300_000)
    assert same(whole, histogram(scores, truth))
    assert all(same(one, whole) for one in metrics.within(scores, truth, np.ones_like(truth)))


def test_counts_outgrow_32_bits() -> None:
    found = once = histogram(*mixture(1000))
    for _ in range(40):
        found = found + found
    assert found.counts.sum() == 1000 << 40
    assert found.ranking().auroc == pytest.approx(once.ranking().auroc, abs=1e-12)
    assert found.ranking().average_precision == pytest.approx(once.ranking().average_precision, abs=1e-12)


@given(labelled(width=32))
@relaxed
def test_the_lowest_score_of_a_key_has_that_key(data: Labelled) -> None:
    found = histogram(*data)
    assert np.array_equal(keys_of(found.scores), found.keys)


@given(labelled(width=32, least=1))
@relaxed
def test_dice_is_that_of_the_scores_at_or_above_the_threshold(data: Labelled) -> None:
    scores, truth = data
    found = histogram(scores, truth)
    if not truth.any():
        assert found.dice_at(0) is None
        with pytest.raises(ValueError, match="no positives"):
            found.best_dice()
        return
    brute = {float(t): 2 * truth[scores >= t].sum() / ((scores >= t).sum() + truth.sum()) for t in found.scores}
    for threshold, dice in brute.items():
        assert found.dice_at(threshold) == pytest.approx(dice)
    threshold, best = found.best_dice()
    assert best == pytest.approx(max(brute.values()))
    assert threshold == max(t for t, dice in brute.items() if dice == max(brute.values()))
    assert found.dice_at(np.inf) == pytest.approx(brute.get(np.inf, 0.0))
    with pytest.raises(ValueError, match="NaN"):
        found.dice_at(float("nan"))


@given(labelled(width=32, least=1), st.integers(4, 40))
@relaxed
def test_curves_hold_points_of_the_scores(data: Labelled, points: int) -> None:
    scores, truth = data
    curves = histogram(scores, truth).thinned_curves(points)
    if not truth.any():
        assert all(part.size == 0 for part in curves)
        return
    assert 2 <= len(curves.threshold) <= points
    for threshold, rate, recall, precision in list(zip(*curves, strict=True))[1:]:
        above = scores >= threshold
        assert recall == pytest.approx(truth[above].mean() * above.sum() / truth.sum())
        assert rate == pytest.approx((~truth[above]).sum() / max(1, (~truth).sum()))
        assert precision == pytest.approx(truth[above].mean())
    first, last = (tuple(part[end] for part in curves) for end in (0, -1))
    assert first[1:] == (0, 0, curves.precision[1])
    assert first[0] > scores.max() or scores.max() == np.inf
    assert last[2] == 1
    assert last[1] == (0 if truth.all() else 1)
    assert last[0] <= scores.min()
    assert all(a <= b for part in (curves.false_positive_rate, curves.recall) for a, b in pairwise(part))


def test_thinned_curves_keep_the_shape() -> None:
    scores, truth = mixture(200_000)
    curves = histogram(scores, truth).thinned_curves()
    assert len(curves.threshold) <= 400
    assert np.isfinite(curves.threshold).all()
    rate, recall, _ = roc_curve(truth, scores)
    beyond = rate > 1e-4  # the curve is all but vertical before
    assert np.abs(np.interp(rate, curves.false_positive_rate, curves.recall) - recall)[beyond].max() < 0.01
    area = np.trapezoid(curves.recall, curves.false_positive_rate)
    assert area == pytest.approx(roc_auc_score(truth, scores), abs=1e-3)
