"""Pixel figures of many scores, batch by batch, against scikit-learn on their concatenation, in one run.

    python -m tests.benchmarks.bench_metrics [PIXELS]            20 million by default; against scikit-learn
    python -m tests.benchmarks.bench_metrics alone [PIXELS]      482 million, a whole BraTS test, ours alone

`make bench` times the histogram alone. Times are printed, never asserted: they belong to the machine.
"""

import sys
import time
import tracemalloc
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.metrics import average_precision_score, roc_auc_score

from core.metrics import Ranking, ScoreHistogram, pooled
from core.pixel_counts import DeviceCounts, HostCounts, PixelCounts
from tests.benchmarks.rows import Row

SIDE = 128
BATCH = 64 * SIDE * SIDE
Batch = tuple[NDArray[np.float32], NDArray[np.bool_]]


def batches(count: int) -> Iterator[Batch]:
    """Logit differences of a fair detector, 2 % of the pixels anomalous, 64 slices of 128 x 128 at a time.

    Drawn once for 16 batches, so that drawing does not take longer than counting.
    """
    rng = np.random.default_rng(0)
    drawn = []
    for start in range(0, min(count, 16 * BATCH), BATCH):
        size = min(BATCH, count - start)
        positive = rng.random(size) < 0.02
        drawn.append(((rng.normal(-6, 2, size) + 4 * positive).astype(np.float32), positive))
    for number, start in enumerate(range(0, count, BATCH)):
        scores, positive = drawn[number % len(drawn)]
        yield scores[: count - start], positive[: count - start]


def streamed(given: Iterator[Batch]) -> Ranking:
    """As an evaluation does it."""
    histogram = ScoreHistogram()
    for scores, positive in given:
        histogram.add(scores, positive)
    return histogram.ranking()


def concatenated(given: Iterator[Batch]) -> Ranking:
    """As one would with scikit-learn."""
    scores, positive = (np.concatenate(each) for each in zip(*given, strict=True))
    auroc, precision = float(roc_auc_score(positive, scores)), float(average_precision_score(positive, scores))
    return Ranking(auroc, precision, int(positive.sum()), int((~positive).sum()))


def seconds(figure: Callable[[], Any]) -> float:
    """Wall time of one call."""
    start = time.perf_counter()
    figure()
    return time.perf_counter() - start


def mebibytes(figure: Callable[[], Any]) -> float:
    """The most memory that NumPy held beyond what was there before."""
    tracemalloc.start()
    try:
        figure()
        return tracemalloc.get_traced_memory()[1] / 2**20
    finally:
        tracemalloc.stop()


def against_scikit_learn(count: int) -> list[Row]:
    """Time and memory of both, and how far their figures lie apart. Ours is the best of three calls."""
    given = list(batches(count))  # both get batches that lie in memory already
    ours = min(seconds(lambda: streamed(iter(given))) for _ in range(3))
    theirs = seconds(lambda: concatenated(iter(given)))
    memory = [mebibytes(lambda way=way: way(iter(given))) for way in (streamed, concatenated)]  # type: ignore[misc]
    # The figures are compared on two batches: they tell of the keys, whatever the number of scores.
    one, other = (way(iter(given[:2])) for way in (streamed, concatenated))
    assert one.auroc is not None
    assert other.auroc is not None
    assert one.average_precision is not None
    assert other.average_precision is not None
    gaps = one.auroc - other.auroc, one.average_precision - other.average_precision
    remark = f"{count / 1e6:g} M scores in batches; AUROC {gaps[0]:+.0e}, AP {gaps[1]:+.0e}"
    return [
        Row("pixel AUROC and AP against scikit-learn", ours, theirs, "s", remark),
        Row("their memory, beyond the batches", *memory, "MiB", remark),
    ]


def counted(make: Callable[[], PixelCounts], device: torch.device, given: list[Batch]) -> float:
    """Seconds to count batches of slices that lie on the device, by subject, over frame and tissue."""
    sent = []
    for number, (scores, positive) in enumerate(given):
        maps, truth = (torch.from_numpy(each.reshape(-1, SIDE, SIDE)).to(device) for each in (scores, positive))
        sent.append((maps, (maps > -8).to(torch.uint8), truth.to(torch.uint8), [(f"{number}", "")] * len(maps)))
    counts = make()
    if device.type == "cuda":
        torch.cuda.synchronize()

    def all_of_them() -> None:
        for batch in sent:
            counts.add(*batch)
        pooled(counts.histograms().frame.values()).ranking()

    return seconds(all_of_them)


def on_device(device: torch.device, count: int) -> Row:
    """Counting where the maps are, against ours on the host."""
    given = [batch for batch in batches(count) if batch[0].size % SIDE**2 == 0]
    pairs = [
        (counted(lambda: DeviceCounts(device), device, given), counted(HostCounts, torch.device("cpu"), given))
        for _ in range(3)
    ]
    ours, theirs = (min(each) for each in zip(*pairs, strict=True))
    return Row(f"pixel counts on {device.type} against the host", ours, theirs, "s", f"{count / 1e6:g} M scores")


def rows(device: str, tiny: bool) -> list[Row]:
    """All that needs no argument; on an accelerator the counts there instead."""
    count = 2 * BATCH if tiny else 20 * BATCH
    if torch.device(device).type != "cpu":
        return [on_device(torch.device(device), count)]
    return against_scikit_learn(count // 16 if tiny else count)


def test_histogram_in_batches(benchmark: Any) -> None:
    """20 million pixels, 64 slices at a time."""
    given = list(batches(20_000_000))
    benchmark.pedantic(lambda: streamed(iter(given)), rounds=3, warmup_rounds=1)


def main() -> None:
    """Print times, their ratio and the differences."""
    match sys.argv[1:]:
        case ["alone", *rest]:
            count = int(rest[0]) if rest else 482_000_000
            took = seconds(lambda: streamed(batches(count)))
            peak = mebibytes(lambda: streamed(batches(count)))
            print(f"{count:,} scores: {took:.1f} s with drawing 16 batches, {peak:.0f} MiB at most")
        case rest:
            for row in against_scikit_learn(int(rest[0]) if rest else 20_000_000):
                print(f"{row.what}: {row.ours:.3g} against {row.theirs:.3g} {row.unit}, ", end="")
                print(f"{row.theirs / row.ours:.0f} times less; {row.remark}")


if __name__ == "__main__":
    main()
