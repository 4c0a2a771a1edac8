"""Evaluating a U-Net on many slices against a plain loop: fp32 as trained, maps concatenated, scikit-learn.

    python -m tests.benchmarks.bench_evaluation [cpu|cuda [SLICES [SIDE [BASE]]]]

Both in turns in one run, each in a process of its own. Times are printed, never asserted: they belong to the machine.
"""

import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from sklearn.metrics import average_precision_score, roc_auc_score

from core.config import Config
from core.detectors.segmenter import Segmenter, SegmenterDetector
from core.evaluation import evaluate, scorer_of
from core.slices import SliceTable, TableMetadata, VolumeSlices, open_table, write_table
from tests.benchmarks.apart import apart
from tests.benchmarks.rows import Row

PER_VOLUME = 32
LONG = 20.0  # seconds: what takes longer is timed once


def table(folder: Path, slices: int, side: int) -> SliceTable:
    """Noise on a round head, every third slice with a square lesion, 32 slices a subject."""
    rng = np.random.default_rng(0)
    places = np.arange(side) - side / 2
    inside = np.hypot(places[:, None], places) < 0.4 * side
    volumes = []
    for number in range(slices // PER_VOLUME):
        images = rng.integers(1, 255, (PER_VOLUME, side, side), np.uint8) * inside
        masks = np.zeros_like(images)
        masks[::3, side // 2 : side // 2 + side // 8, side // 2 : side // 2 + side // 8] = 1
        index = np.arange(PER_VOLUME, dtype=np.int32)
        volumes.append(VolumeSlices("made", f"{number}", f"{number}", images, masks, index, [None] * PER_VOLUME))
    return write_table(folder / "t.arrow", volumes, TableMetadata())


def network(base: int, device: torch.device) -> SegmenterDetector:
    """The paper's detector with fresh weights, but with maps that spread as those of a trained one do."""
    torch.manual_seed(0)
    detector = Segmenter(base=base).build(Config().loss)
    torch.nn.init.normal_(detector.unet.output.weight)
    return detector.eval().to(device)


def plain_loop(detector: SegmenterDetector, slices: SliceTable, device: torch.device) -> dict[str, float]:
    """Pooled pixel figures and those of slices by the mean of the map, of the frame alone."""
    maps, truth = [], []
    with torch.no_grad():
        for start in range(0, len(slices), 16):
            rows = slice(start, start + 16)
            images = torch.from_numpy(slices.images(rows)).to(device).float() / 255
            maps.append(detector.anomaly_map(images[:, None]).cpu().numpy())
            truth.append(slices.masks(rows) > 0)
    scores, labels = np.concatenate(maps), np.concatenate(truth)
    means, anomalous = (1 / (1 + np.exp(-scores))).mean((1, 2)), labels.any((1, 2))
    return {
        "pixel.auroc": float(roc_auc_score(labels.ravel(), scores.ravel())),
        "pixel.average_precision": float(average_precision_score(labels.ravel(), scores.ravel())),
        "sample.mean.auroc": float(roc_auc_score(anomalous, means)),
    }


def ours(detector: SegmenterDetector, slices: SliceTable, device: torch.device) -> dict[str, float]:
    """As a study does it: also over tissue, by subject, and with every slice score."""
    return evaluate(scorer_of(detector), slices, device=device).figures()


def again_and_again(
    way: Callable[..., dict[str, float]], path: Path, base: int, device: torch.device
) -> Iterator[dict[str, float]]:
    """The figures of one way of evaluating, for ever."""
    slices, detector = open_table(path), network(base, device)
    while True:
        yield way(detector, slices, device)


def compared(device: torch.device, count: int, side: int, base: int, rounds: int = 2) -> tuple[Row, dict[str, float]]:
    """The row of both, and how far figures that both have lie apart."""
    took: dict[str, float] = {}
    found: dict[str, dict[str, float]] = {}
    with tempfile.TemporaryDirectory() as folder:
        path = table(Path(folder), count, side).path
        with (
            apart(again_and_again, ours, path, base, device) as ours_once,
            apart(again_and_again, plain_loop, path, base, device) as theirs_once,
        ):
            for number in range(rounds):
                for name, once in (("ours", ours_once), ("theirs", theirs_once)):
                    if name == "theirs" and number and took[name] > LONG:
                        continue
                    found[name], seconds = once()
                    took[name] = min(took.get(name, np.inf), seconds)
    gaps = {name: found["ours"][name] - value for name, value in found["theirs"].items()}
    remark = f"{count} slices of {side} x {side}, base {base}; AP {gaps['pixel.average_precision']:+.0e}"
    return Row(f"evaluation on {device.type}", took["ours"], took["theirs"], "s", remark), gaps


def alone(device: torch.device, count: int, side: int, base: int) -> float:
    """Seconds of ours on more slices than one would wait for with scikit-learn."""
    with tempfile.TemporaryDirectory() as folder:
        slices, detector = table(Path(folder), count, side), network(base, device)
        start = time.perf_counter()
        ours(detector, slices, device)
        return time.perf_counter() - start


def rows(device: str, tiny: bool) -> list[Row]:
    """A small U-Net, as in a laptop's study, and the paper's; on a GPU the paper's, on part of BRATS's test."""
    if tiny:
        return [compared(torch.device(device), 64, 32, 4)[0]]
    if torch.device(device).type == "cpu":
        return [compared(torch.device(device), *each)[0] for each in ((1024, 64, 8), (128, 128, 32))]
    row, _ = compared(torch.device(device), 1472, 128, 32)
    whole = alone(torch.device(device), 29_440, 128, 32)
    return [row._replace(remark=f"{row.remark}; ours on 29,440 slices: {whole:.3g} s")]


def test_evaluation(benchmark: Any, tmp_path: Path) -> None:
    """256 slices of 64 x 64, base 8."""
    cpu = torch.device("cpu")
    benchmark.pedantic(ours, (network(8, cpu), table(tmp_path, 256, 64), cpu), rounds=3, warmup_rounds=1)


def main() -> None:
    """Print times and their ratio."""
    device, *numbers = sys.argv[1:] or ["cpu"]
    given = [int(number) for number in numbers]
    defaults = [1024, 64, 8]
    row, _ = compared(torch.device(device), *[*given, *defaults[len(given) :]])
    print(f"{row.what}: {row.ours:.2f} against {row.theirs:.2f} s, {row.theirs / row.ours:.2f} times; {row.remark}")


if __name__ == "__main__":
    main()
