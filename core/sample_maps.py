"""A trial's anomaly maps on a few slices of the probe, for looking at. Test slices wait for the winner."""

from pathlib import Path
from typing import NamedTuple
from zipfile import BadZipFile

import numpy as np
import torch
from numpy.typing import NDArray

from core.durable import replacing
from core.errors import BadInput
from core.evaluation import Scorer
from core.heat import heat_of
from core.sizes import lesion_areas
from core.slices.table import SliceTable

FILE = "sample_maps.npz"


class SampleMaps(NamedTuple):
    """rows: of the probe, (n,). heat: the maps there, (n, H, W) in 0..255 on a scale of the detector's own."""

    rows: NDArray[np.intp]
    heat: NDArray[np.uint8]


def rows_to_sample(probe: SliceTable) -> NDArray[np.intp]:
    """Of each family the slice whose altered area is the middle one, then the unaltered slice with most tissue.

    No detector has a say, so every trial of a study is seen on the same slices.
    """
    area = lesion_areas(probe)
    rows = []
    for family in sorted({name for name in probe.family.tolist() if name}):
        found = np.flatnonzero((probe.family == family) & (area > 0))
        if found.size:
            rows.append(int(found[np.argsort(area[found], kind="stable")[found.size // 2]]))
    unaltered = np.flatnonzero(probe.normal)
    if unaltered.size:
        rows.append(int(unaltered[np.argmax(probe.foreground[unaltered])]))
    return np.array(rows, np.intp)


def write_sample_maps(
    path: Path, scorer: Scorer, probe: SliceTable, rows: NDArray[np.intp], *, device: torch.device
) -> None:
    """Score these rows of a probe and write the maps, whole or not at all. Raises BadStorage."""
    images = torch.from_numpy(probe.images(rows)).to(device).float() / 255
    with torch.inference_mode():
        maps = scorer(images).float().cpu().numpy()
    heat = np.rint(heat_of(maps) * 255).astype(np.uint8)
    # A file object, since numpy appends .npz to a name that lacks it.
    with replacing(path) as temporary, temporary.open("wb") as file:
        np.savez_compressed(file, rows=rows, heat=heat)


def read_sample_maps(path: Path) -> SampleMaps | None:
    """What `write_sample_maps` wrote; None when there is no such file. Raises BadInput when it is damaged."""
    if not path.is_file():
        return None
    try:
        with np.load(path) as kept:
            return SampleMaps(kept["rows"], kept["heat"])
    except (OSError, ValueError, KeyError, EOFError, BadZipFile) as damaged:
        raise BadInput(f"{path}: cannot be read: {damaged}") from None
