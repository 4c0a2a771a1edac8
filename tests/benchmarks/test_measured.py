"""What the benchmarks compare gives the same figures, whatever their times are."""

import pytest
import torch

from core.metrics import pooled
from core.pixel_counts import DeviceCounts, HostCounts
from tests.benchmarks import bench_evaluation, bench_metrics


def test_both_ways_to_rank_pixels_agree() -> None:
    one, other = (way(bench_metrics.batches(300_000)) for way in (bench_metrics.streamed, bench_metrics.concatenated))
    assert (one.positives, one.negatives) == (other.positives, other.negatives)
    assert one.auroc == pytest.approx(other.auroc, abs=1e-6)
    assert one.average_precision == pytest.approx(other.average_precision, abs=1e-4)


def test_batches_hold_as_many_scores_as_were_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bench_metrics, "BATCH", 100)
    assert [scores.size for scores, _ in bench_metrics.batches(1705)] == [100] * 17 + [5]


def test_device_and_host_count_the_same_batches() -> None:
    cpu, given = torch.device("cpu"), list(bench_metrics.batches(4 * bench_metrics.SIDE**2))
    kept: list[DeviceCounts | HostCounts] = [DeviceCounts(cpu, 2), HostCounts()]
    for counts in kept:
        assert bench_metrics.counted(lambda counts=counts: counts, cpu, given) > 0  # type: ignore[misc]
    one, other = (pooled(counts.histograms().frame.values()).ranking() for counts in kept)
    assert one == other


def test_both_ways_to_evaluate_agree() -> None:
    row, gaps = bench_evaluation.compared(torch.device("cpu"), 64, 32, 4, rounds=1)
    assert row.ours > 0
    assert row.theirs > 0
    assert max(abs(gap) for gap in gaps.values()) < 1e-3
