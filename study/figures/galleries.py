"""What is shown in the galleries: pseudo-outliers as trained on, and anomaly maps on test slices."""

from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from core.config import Config
from core.heat import heat_of
from core.slices.table import SliceTable
from core.synthesis import Donors, PseudoOutlier
from study.figures.pictures import data_uri, panel


class Trained(NamedTuple):
    """A healthy slice, the training pair that was made of it, and how. image, drawn: 0..1; label: 0 and 1; (H, W)."""

    subject: str
    slice_index: int
    image: NDArray[np.float32]
    drawn: NDArray[np.float32]
    label: NDArray[np.float32]
    outlier: PseudoOutlier


class Example(NamedTuple):
    """A test slice with its map. value: pixel AP within the slice; for a healthy slice, its anomaly score.

    heat: the map between 0 and 1 on a scale common to all examples.
    """

    label: str
    subject: str
    value: float
    image: NDArray[np.uint8]
    truth: NDArray[np.uint8]
    heat: NDArray[np.float32]

    @property
    def healthy(self) -> bool:
        """Whether the slice has no lesion."""
        return not self.truth.any()


def trained_info(
    config: Config, table: SliceTable, probe_subjects: tuple[str, ...], seed: int, count: int = 12
) -> tuple[Trained, ...]:
    """Pairs that epoch 1 under `seed` was trained on, for slices spread evenly over the training rows.

    Slices that were left healthy give their place to the next one that was not.
    """
    rows = table.rows_without(probe_subjects)
    if not len(rows):
        return ()
    # The middle of equal stretches of the table, so that subjects and heights differ; the rule has no eye for beauty.
    places = np.unique(((np.arange(count) + 0.5) * len(rows) / count).astype(int)).tolist()
    ends = [*places[1:], len(rows)]
    donors = Donors(table, rows)
    found = (
        _first_altered(config, table, rows[start:end], seed, donors) for start, end in zip(places, ends, strict=True)
    )
    return tuple(pair for pair in found if pair is not None)


def _first_altered(
    config: Config, table: SliceTable, rows: NDArray[np.intp], seed: int, donors: Donors
) -> Trained | None:
    for row in rows.tolist():
        image = table.images([row])[0] / np.float32(255)  # type: ignore[arg-type]
        outlier, drawn = config.synthesis.pseudo_outlier(image, seed, 1, row, donors)
        if outlier is not None:
            subject, at = str(table.subject[row]), int(table.slice_index[row])
            return Trained(subject, at, image, drawn.image, drawn.label, outlier)
    return None


def examples_info(path: Path) -> tuple[Example, ...]:
    """The slices that core.train kept in examples.npz, in its order; none when the file is not there."""
    if not path.is_file():
        return ()
    with np.load(path) as kept:
        parts = [kept[name] for name in ("label", "subject", "value", "image", "mask")]
        return tuple(
            Example(str(label), str(subject), float(value), image, mask, heat)
            for label, subject, value, image, mask, heat in zip(*parts, heat_of(kept["map"]), strict=True)
        )


def draw_trained(pair: Trained) -> str:
    """The slice as the detector sees it, and the same with the contour of its label."""
    return data_uri(panel(pair.drawn), panel(pair.drawn, np.asarray(pair.label > 0, np.uint8)))


def draw_example(example: Example) -> str:
    """The slice, and the same under the heat with the contour of the truth."""
    return data_uri(panel(example.image), panel(example.image, example.truth, example.heat))
