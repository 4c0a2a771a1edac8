"""What trials make of the same few slices of the probe, for the panel that tells of a chosen trial."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from core.errors import StudyError
from core.mirror import fetch
from core.sample_maps import FILE, SampleMaps, read_sample_maps
from study.figures.pictures import SMALL, data_uri, panel, reduced
from study.folder import Definition
from study.records import StudyRecord, best_first

BEST = 20


class Sample(NamedTuple):
    """One slice of the probe. family: '' where nothing was altered. judges: whether its family counts."""

    family: str
    subject: str
    judges: bool
    image: NDArray[np.uint8]
    truth: NDArray[np.uint8]


class Samples(NamedTuple):
    """slices: by their row of the probe. maps: of each trial that is shown. missing: why there are none."""

    slices: dict[int, Sample]
    maps: dict[int, SampleMaps]
    missing: str = ""


def samples_info(record: StudyRecord, winner: int | None) -> Samples:
    """Of the best twenty trials, the winner and the preset's own, as far as they kept maps: 1,000 would fill a page."""
    ranked = [trial.number for trial in best_first(record.trials)]
    others = [trial.number for trial in record.trials if trial.is_base or trial.number == winner]
    try:
        maps = {
            number: kept
            for number in dict.fromkeys([*ranked[:BEST], *others])
            if (kept := read_sample_maps(fetch(record.folder.training("search", number) / FILE))) is not None
        }
        if not maps:
            return Samples({}, {}, "No trial of this study kept any.")
        return Samples(_slices(record.definition, maps), maps)
    except StudyError as gone:
        return Samples({}, {}, f"They cannot be drawn: {gone}.")


def _slices(definition: Definition, maps: dict[int, SampleMaps]) -> dict[int, Sample]:
    """Those of families that count come first."""
    probe, judges = definition.probe.open(), definition.judged_by()
    rows = np.unique(np.concatenate([kept.rows for kept in maps.values()]))
    found = [
        (int(row), Sample(str(family or ""), str(subject), family in judges, image, truth))
        for row, family, subject, image, truth in zip(
            rows, probe.family[rows], probe.subject[rows], probe.images(rows), probe.masks(rows), strict=True
        )
    ]
    return dict(sorted(found, key=lambda one: (not one[1].judges, not one[1].family, one[1].family)))


def draw_slice(sample: Sample) -> str:
    """The slice alone, small."""
    return data_uri(reduced(panel(sample.image), SMALL))


def draw_map(sample: Sample, heat: NDArray[np.uint8]) -> str:
    """The slice under the heat of a trial's map, with the contour of the truth, small."""
    return data_uri(reduced(panel(sample.image, sample.truth, np.asarray(heat / 255, np.float32)), SMALL))
