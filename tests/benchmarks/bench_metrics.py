"""Pixel figures of 20 million scores against scikit-learn on their concatenation, in one run.

    python -m tests.benchmarks.bench_metrics [PIXELS]

`make bench` times the histogram alone. Times are printed, never asserted: they belong to the machine.
"""

import sys
import time
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import average_precision_score, roc_auc_score

from core.metrics import Ranking, ScoreHistogram

BATCH = 1 << 20  # 64 slices of 128 x 128


def maps(count: int) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Logit differences of a fair detector, 2 % of the pixels anomalous."""
    rng = np.random.default_rng(0)
    positive = rng.random(count) < 0.02
    return (rng.normal(-6, 2, count) + 4 * positive).astype(np.float32), positive


def in_batches(scores: NDArray[np.float32], positive: NDArray[np.bool_]) -> Ranking:
    """As an evaluation does it."""
    histogram = ScoreHistogram()
    for start in range(0, scores.size, BATCH):
        histogram.add(scores[start : start + BATCH], positive[start : start + BATCH])
    return histogram.ranking()


def at_once(scores: NDArray[np.float32], positive: NDArray[np.bool_]) -> Ranking:
    """One call."""
    histogram = ScoreHistogram()
    histogram.add(scores, positive)
    return histogram.ranking()


def test_histogram_in_batches(benchmark: Any) -> None:
    """20 million pixels, 64 slices at a time."""
    benchmark.pedantic(in_batches, maps(20_000_000), rounds=3, warmup_rounds=1)


def test_histogram_at_once(benchmark: Any) -> None:
    """20 million pixels in one array."""
    benchmark.pedantic(at_once, maps(20_000_000), rounds=3, warmup_rounds=1)


def main() -> None:
    """Print times, their ratio and the differences."""
    scores, positive = maps(int(sys.argv[1]) if len(sys.argv) > 1 else 20_000_000)
    took = {}
    for name, figure in (("in batches", in_batches), ("at once", at_once)):
        start = time.perf_counter()
        found = figure(scores, positive)
        took[name] = time.perf_counter() - start
    start = time.perf_counter()
    auroc, precision = float(roc_auc_score(positive, scores)), float(average_precision_score(positive, scores))
    reference = time.perf_counter() - start
    print(f"{scores.size:,} pixels; scikit-learn {reference:.2f} s, AUROC {auroc:.6f}, AP {precision:.6f}")
    for name, seconds in took.items():
        print(f"histogram {name}: {seconds:.3f} s, {reference / seconds:.0f} times as fast")
    assert found.auroc is not None
    assert found.average_precision is not None
    print(f"differences: AUROC {found.auroc - auroc:+.1e}, AP {found.average_precision - precision:+.1e}")


if __name__ == "__main__":
    main()
