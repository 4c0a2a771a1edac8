"""Weights against literal resampling, Student's t against SciPy, and coverage on simulated subjects."""

from collections.abc import Mapping, Sequence
from itertools import combinations

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import stats

from core import bootstrap
from core.bootstrap import Quantity, matched_interval, pixel_differences, pixel_interval, sample_interval
from core.intervals import mean_interval, paired_difference
from core.metrics import ScoreHistogram, matched_auroc, pooled, rank

Scores = tuple[NDArray[np.float32], NDArray[np.bool_]]
QUANTITIES: tuple[Quantity, ...] = ("auroc", "average_precision")


def subjects(count: int, size: int, *, seed: int, spread: float = 1.0, digits: int | None = None) -> dict[str, Scores]:
    """Scores of subjects that differ: the positives of each are shifted by its own draw."""
    rng = np.random.default_rng(seed)
    found = {}
    for place in range(count):
        truth = rng.random(size) < 0.3
        scores = rng.normal(0, 1, size) + truth * (1 + spread * rng.normal())
        found[f"s{place}"] = ((scores if digits is None else scores.round(digits)).astype(np.float32), truth)
    return found


def counted(run: Mapping[str, Scores]) -> dict[str, ScoreHistogram]:
    found = {name: ScoreHistogram() for name in run}
    for name, (scores, truth) in run.items():
        found[name].add(scores, truth)
    return found


def literal(runs: Sequence[Mapping[str, Scores]], quantity: Quantity, resamples: int, seed: int) -> NDArray[np.float64]:
    """Concatenate the drawn subjects, rank them under each seed, and average; the draws are the module's."""
    names = sorted(runs[0])
    count = len(names)
    values = []
    for often in np.random.default_rng([seed, 0]).multinomial(count, np.full(count, 1 / count), resamples):
        copies = [name for name, times in zip(names, often, strict=True) for _ in range(times)]
        figures = []
        for run in runs:
            ranking = rank(*(np.concatenate([run[name][which] for name in copies]) for which in (0, 1)))
            figures.append(getattr(ranking, quantity))
        values.append(np.nan if None in figures else np.mean(figures))
    return np.array(values, np.float64)


def by_seed(runs: Sequence[Mapping[str, Scores]], quantity: Quantity) -> NDArray[np.float64]:
    return np.array([getattr(pooled(counted(run).values()).ranking(), quantity) for run in runs])


def ends(of_seeds: NDArray[np.float64], values: NDArray[np.float64], level: float, count: int) -> tuple[float, float]:
    """The percentiles of Hesterberg 2015, at least Student's t, and Satterthwaite's sum of both errors, written out."""
    share, seeds, estimate = (1 + level) / 2, len(of_seeds), np.mean(of_seeds)
    student = stats.t.ppf(share, count - 1)
    reach = np.sqrt(count / (count - 1)) * student
    found = []
    for sign, end in zip((-1, 1), np.quantile(values, stats.norm.cdf([-reach, reach])), strict=True):
        subjects = max(sign * (end - estimate) / student, np.std(values) * np.sqrt(count / (count - 1)))
        error = np.std(of_seeds, ddof=1) / np.sqrt(seeds) if seeds > 1 else 0.0
        both = np.hypot(subjects, error)
        freedom = both**4 / (subjects**4 / (count - 1) + error**4 / max(seeds - 1, 1))
        found.append(float(estimate + sign * stats.t.ppf(share, freedom) * both))
    return found[0], found[1]


@pytest.mark.parametrize("quantity", QUANTITIES)
def test_weights_equal_literal_resampling(quantity: Quantity) -> None:
    runs = [subjects(6, 40, seed=seed, digits=1) for seed in range(3)]
    expected = ends(by_seed(runs, quantity), literal(runs, quantity, 120, 5), 0.9, 6)
    estimate = np.mean(by_seed(runs, quantity))
    assert 0 < expected[0] < expected[1] < 1
    for found in (
        sample_interval(runs, quantity, resamples=120, level=0.9, seed=5),
        pixel_interval([counted(run) for run in runs], quantity, resamples=120, level=0.9, seed=5),
    ):
        assert found is not None
        # Each tenth has a key of its own, so that the histogram is exact.
        assert (found.low, found.high) == pytest.approx(expected, abs=1e-12)
        assert found.estimate == pytest.approx(estimate, abs=1e-12)
        assert (found.level, found.subjects, found.seeds) == (0.9, 6, 3)
        assert "120 of 120 resamples" in found.method


def test_matched_pairs_equal_literal_resampling() -> None:
    runs = [subjects(6, 40, seed=seed, digits=1) for seed in range(3)]
    rng = np.random.default_rng(0)
    strata = {name: rng.integers(0, 3, 40) for name in runs[0]}
    found = matched_interval(runs, strata, resamples=40, seed=5)
    weights = np.random.default_rng([5, 0]).multinomial(6, np.full(6, 1 / 6), 40)
    drawn = []
    for often in weights:
        copies = [name for name, times in zip(sorted(runs[0]), often, strict=True) for _ in range(times)]
        place = np.concatenate([strata[name] for name in copies])
        figures = [
            matched_auroc(*(np.concatenate([run[name][which] for name in copies]) for which in (0, 1)), place)
            for run in runs
        ]
        drawn.append(np.mean(figures))
    whole = [
        matched_auroc(
            *(np.concatenate([run[name][which] for name in run]) for which in (0, 1)),
            np.concatenate([*strata.values()]),
        )
        for run in ({name: run[name] for name in strata} for run in runs)
    ]
    expected = ends(np.array(whole), np.array(drawn), 0.95, 6)
    assert found is not None
    assert (found.low, found.high) == pytest.approx(expected, abs=1e-12)
    one = {name: np.zeros(40, np.intp) for name in runs[0]}
    assert matched_interval(runs, one) == sample_interval(runs, "auroc")


def test_strata_without_pairs_have_no_matched_interval() -> None:
    run = {"a": (np.zeros(4, np.float32), np.ones(4, bool)), "b": (np.zeros(4, np.float32), np.zeros(4, bool))}
    assert matched_interval([run], {"a": np.zeros(4, np.intp), "b": np.ones(4, np.intp)}) is None


def test_coarse_bins_hardly_move_the_resamples(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    run = {}
    for place in range(6):
        truth = rng.random(60_000) < 0.05 * rng.random()
        scores = rng.normal(-6, 2, truth.size) + truth * (4 + rng.normal())
        run[f"s{place}"] = scores.astype(np.float32), truth
    coarse = [pixel_interval([counted(run)], quantity, resamples=100) for quantity in QUANTITIES]
    monkeypatch.setattr(bootstrap, "_BINS", 1 << 20)
    exact = [pixel_interval([counted(run)], quantity, resamples=100) for quantity in QUANTITIES]
    for one, other, limit in zip(coarse, exact, (2e-5, 5e-4), strict=True):
        assert one is not None
        assert other is not None
        assert one.estimate == other.estimate
        assert (one.low, one.high) == pytest.approx((other.low, other.high), abs=limit)
        assert (one.low, one.high) != (other.low, other.high)


def test_few_scores_stay_exact_beside_a_large_background() -> None:
    run = {}
    for name, (scores, truth) in subjects(5, 30, seed=7, digits=1).items():
        run[name] = np.append(scores, np.zeros(20_000, np.float32)), np.append(truth, np.zeros(20_000, bool))
    for quantity in QUANTITIES:
        exact = sample_interval([run], quantity, resamples=50)
        found = pixel_interval([counted(run)], quantity, resamples=50)
        assert exact is not None
        assert found is not None
        assert (found.low, found.high) == pytest.approx((exact.low, exact.high), abs=1e-12)


def test_the_order_of_subjects_is_immaterial_and_the_seed_is_not() -> None:
    run = subjects(8, 50, seed=1)
    backwards = dict(reversed(run.items()))
    assert sample_interval([run], "auroc") == sample_interval([backwards], "auroc")
    assert pixel_interval([counted(run)], "auroc") == pixel_interval([counted(backwards)], "auroc")
    assert sample_interval([run], "auroc") != sample_interval([run], "auroc", seed=1)


def test_more_slices_of_the_same_subjects_bring_no_certainty() -> None:
    run = subjects(8, 50, seed=2)
    doubled = {name: (np.tile(scores, 2), np.tile(truth, 2)) for name, (scores, truth) in run.items()}
    once, twice = (sample_interval([each], "auroc") for each in (run, doubled))
    assert once is not None
    assert twice is not None
    assert (once.low, once.high) == pytest.approx((twice.low, twice.high), abs=1e-12)


def test_seeds_that_differ_widen_the_interval() -> None:
    run = subjects(8, 200, seed=3, spread=0.1)
    worse = {name: ((scores - truth).astype(np.float32), truth) for name, (scores, truth) in run.items()}
    alike, unlike = sample_interval([run, run], "auroc"), sample_interval([run, worse], "auroc")
    assert alike is not None
    assert unlike is not None
    assert unlike.high - unlike.low > 2 * (alike.high - alike.low)
    assert unlike.low < alike.low - 0.1


def test_resamples_without_a_class_are_dropped_and_counted() -> None:
    rng = np.random.default_rng(0)
    run = {f"s{place}": (rng.normal(size=20).astype(np.float32), np.full(20, place == 0)) for place in range(4)}
    wanted = np.isfinite(literal([run], "auroc", 1000, 0)).sum()
    found = sample_interval([run], "auroc")
    assert 600 < wanted < 750
    assert found is not None
    assert found.method.endswith(f"{wanted} of 1000 resamples")


def test_no_interval_where_it_would_mean_nothing() -> None:
    half = (np.arange(4, dtype=np.float32), np.array([False, True, False, True]))
    nothing = (np.empty(0, np.float32), np.empty(0, bool))
    for run in (
        {"only": half},  # one subject says nothing about subjects
        {"a": (half[0], ~half[1] & False), "b": (half[0], ~half[1] & False)},  # no positives
        {"a": (half[0][:1], half[1][:1]), "b": (half[0][1:2], half[1][1:2]), "c": nothing},  # most resamples lack one
        {"a": nothing, "b": nothing},
    ):
        assert sample_interval([run], "auroc") is None
        assert pixel_interval([counted(run)], "auroc") is None
        assert pixel_differences({"a": [counted(run)], "b": [counted(run)]}, "auroc") == {}


def test_differences_pair_the_subjects() -> None:
    hard = counted(subjects(10, 100, seed=4))
    better = counted(  # the same subjects, each scored a little better
        {name: ((s + 0.3 * t).astype(np.float32), t) for name, (s, t) in subjects(10, 100, seed=4).items()}
    )
    runs = {"hard": [hard, hard], "same": [hard], "better": [better], "worse": [hard]}
    found = pixel_differences(runs, "auroc")
    assert list(found) == [*combinations(runs, 2)]
    none = found["hard", "same"]
    assert (none.estimate, none.low, none.high) == (0, 0, 0)
    loss, gain = found["hard", "better"], found["better", "worse"]
    alone = pixel_interval([hard], "auroc")
    assert alone is not None
    assert 0 < gain.low < gain.estimate < gain.high
    assert gain.high - gain.low < (alone.high - alone.low) / 2
    assert (loss.low, loss.high) == pytest.approx((-gain.high, -gain.low), abs=1e-12)
    assert (loss.seeds, gain.seeds) == (2, 1)  # a single run beside every seed of the other
    assert pixel_differences({"better": [better], "hard": [hard]}, "auroc")["better", "hard"] == gain


@pytest.mark.parametrize("quantity", QUANTITIES)
def test_differences_equal_literal_resampling(quantity: Quantity) -> None:
    detectors = {"one": range(3), "other": range(3, 6), "single": range(6, 7)}
    runs = {name: [subjects(6, 40, seed=seed, digits=1) for seed in seeds] for name, seeds in detectors.items()}
    told = {name: [counted(run) for run in each] for name, each in runs.items()}
    found = pixel_differences(told, quantity, resamples=120, level=0.9, seed=5)
    for other in ("other", "single"):
        values = literal(runs["one"], quantity, 120, 5) - literal(runs[other], quantity, 120, 5)
        paired = by_seed(runs["one"], quantity) - by_seed(runs[other], quantity)
        lead = found["one", other]
        assert (lead.low, lead.high) == pytest.approx(ends(paired, values, 0.9, 6), abs=1e-12)
        assert (lead.level, lead.subjects, lead.seeds) == (0.9, 6, 3)


def test_student_intervals_are_those_of_scipy() -> None:
    first, second = [0.71, 0.64, 0.69, 0.75], [0.66, 0.61, 0.70, 0.69]
    expected = stats.ttest_1samp(first, 0).confidence_interval(0.95)
    found = mean_interval(first)
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high))
    assert (found.subjects, found.seeds) == (0, 4)
    assert found.estimate == pytest.approx(np.mean(first))
    for level, found in ((0.95, paired_difference(first, second)), (0.9, paired_difference(first, second, level=0.9))):
        expected = stats.ttest_rel(first, second).confidence_interval(level)
        assert (found.low, found.high) == pytest.approx((expected.low, expected.high))
        assert found.level == level
    assert "Student" in found.method


def test_mistakes_are_told() -> None:
    one, other = subjects(2, 9, seed=0), subjects(3, 9, seed=0)
    with pytest.raises(ValueError, match="at least two, and there is 1"):
        mean_interval([0.5])
    with pytest.raises(ValueError, match="at least two, and there is 1"):
        paired_difference([0.5], [0.4])
    with pytest.raises(ValueError, match="3 values cannot be paired with 2"):
        paired_difference([1, 2, 3], [1, 2])
    for level in (0, 1, -0.5, 1.5, 95):
        with pytest.raises(ValueError, match=f"between 0 and 1, not {level}"):
            mean_interval([1, 2], level=level)
    with pytest.raises(ValueError, match="between 0 and 1, not 95"):
        sample_interval([one], "auroc", level=95)
    with pytest.raises(ValueError, match="s2 is not in all"):
        sample_interval([one, other], "auroc")
    with pytest.raises(ValueError, match="s2 is not in all"):
        pixel_differences({"one": [counted(one)], "other": [counted(other)]}, "auroc")
    with pytest.raises(ValueError, match="no runs, or no subjects"):
        pixel_interval([], "auroc")
    with pytest.raises(ValueError, match="no runs, or no subjects"):
        pixel_interval([{}], "auroc")


def test_what_a_seed_does_to_both_cancels() -> None:
    run = counted(subjects(8, 200, seed=3, spread=0.1))
    worse = counted({n: ((s - 0.5 * t).astype(np.float32), t) for n, (s, t) in subjects(8, 200, seed=3).items()})
    alike = pixel_differences({"one": [run, worse], "other": [run, worse]}, "auroc")["one", "other"]
    crossed = pixel_differences({"one": [run, worse], "other": [worse, run]}, "auroc")["one", "other"]
    assert (alike.low, alike.high) == (0, 0)
    assert crossed.low < -0.5 < 0.5 < crossed.high  # two seeds that contradict each other say nothing


def test_figures_end_where_they_must() -> None:
    run = subjects(2, 60, seed=1)
    for quantity in QUANTITIES:
        found = sample_interval([run], quantity)
        gap = pixel_differences({"a": [counted(run)], "b": [counted(subjects(2, 60, seed=2))]}, quantity)["a", "b"]
        assert found is not None
        assert 0 <= found.low < found.estimate < found.high <= 1
        assert -1 <= gap.low < 0 < gap.high <= 1


@pytest.mark.parametrize(
    ("count", "seeds", "drift"),
    [(2, 1, 0.0), (3, 3, 0.0), (6, 1, 0.0), (25, 1, 0.0), (25, 4, 0.3), (25, 3, 0.7)],
)
def test_coverage(count: int, seeds: int, drift: float) -> None:
    """95 % intervals of new subjects and seeds hold the true AUROC in 86 % of 120 studies or more.

    Positives are N(1 + subject + seed, 1), negatives N(0, 1): the true AUROC follows from the sum of the variances.
    """
    truth, spread, size = np.arange(12) < 4, 0.7, 12
    true = stats.norm.cdf(1 / np.sqrt(2 + spread**2 + drift**2))
    rng = np.random.default_rng(11)
    held = 0
    for study in range(120):
        shift = rng.normal(0, spread, count)
        runs = []
        for _ in range(seeds):
            scores = rng.normal(0, 1, (count, size)) + truth * (1 + shift[:, None] + drift * rng.normal())
            runs.append({str(place): (row.astype(np.float32), truth) for place, row in enumerate(scores)})
        found = sample_interval(runs, "auroc", resamples=200, seed=study)
        assert found is not None
        held += found.low <= true <= found.high
    assert held / 120 >= 0.86
