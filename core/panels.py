"""The same test slices through every detector, for looking at: its map, its reconstruction, and slices of its own."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from core.detectors import Reconstructing, Sampling
from core.durable import replacing
from core.evaluation import Scorer
from core.sizes import lesion_areas
from core.slices.table import SliceTable

LESIONS = 5
_SEED = 0


@dataclass(frozen=True)
class Looked:
    """What one detector makes of the slices. map: (n, H, W) float16 logits or another monotone form.

    reconstruction, samples: (n, H, W) uint8, None for a detector that does not reconstruct, or cannot draw slices.
    """

    map: NDArray[np.float16]
    reconstruction: NDArray[np.uint8] | None = None
    samples: NDArray[np.uint8] | None = None


@dataclass(frozen=True)
class Panels:
    """image, mask: (n, H, W) uint8. subject: (n,) names. looked: what each detector makes of them, by name."""

    image: NDArray[np.uint8]
    mask: NDArray[np.uint8]
    subject: NDArray[np.str_]
    looked: dict[str, Looked]


def rows_to_show(table: SliceTable) -> NDArray[np.intp]:
    """Of up to five subjects, evenly spread, the slice with the largest lesion; of the last one without, most tissue.

    No detector has a say: what one of them does well would not show what another does.
    """
    area = lesion_areas(table)
    with_lesion = [subject for subject in table.subjects if area[table.rows_of([subject])].any()]
    places = np.unique(np.linspace(0, len(with_lesion) - 1, min(LESIONS, len(with_lesion))).astype(int))
    shown = []
    for place in places.tolist():
        rows = table.rows_of([with_lesion[place]])
        shown.append(int(rows[np.argmax(area[rows])]))
    healthy = np.flatnonzero(table.normal)
    if healthy.size:
        shown.append(int(healthy[np.argmax(table.foreground[healthy])]))
    return np.array(shown, np.intp)


def look(
    detectors: Mapping[str, tuple[nn.Module, Scorer]], table: SliceTable, rows: NDArray[np.intp], device: torch.device
) -> Panels:
    """Run every detector over these rows of a table. detectors: the module and its scorer, by name."""
    images = torch.from_numpy(table.images(rows)).to(device).float() / 255
    looked = {}
    for name, (detector, scorer) in detectors.items():
        with torch.inference_mode():
            found = scorer(images).float().cpu().numpy().astype(np.float16)
            rebuilt = detector.reconstruction(images[:, None]) if isinstance(detector, Reconstructing) else None
            generator = torch.Generator(device).manual_seed(_SEED)
            drawn = detector.samples(images[:, None], generator) if isinstance(detector, Sampling) else None
        looked[name] = Looked(found, _grey(rebuilt), _grey(drawn))
    return Panels(table.images(rows), table.masks(rows), table.subject[rows], looked)


def write_panels(path: Path, panels: Panels) -> None:
    """Write panels.npz: image, mask, subject, names, and map.I, reconstruction.I, samples.I of the I-th name."""
    arrays: dict[str, Any] = {
        "image": panels.image,
        "mask": panels.mask,
        "subject": panels.subject,
        "names": np.array([*panels.looked]),
    }
    for index, one in enumerate(panels.looked.values()):
        parts = {"map": one.map, "reconstruction": one.reconstruction, "samples": one.samples}
        arrays |= {f"{part}.{index}": array for part, array in parts.items() if array is not None}
    # A file object, since numpy appends .npz to a name that lacks it.
    with replacing(path) as temporary, temporary.open("wb") as file:
        np.savez_compressed(file, **arrays)


def read_panels(path: Path) -> Panels | None:
    """What `write_panels` wrote; None when there is no such file."""
    if not path.is_file():
        return None
    with np.load(path) as kept:
        looked = {
            str(name): Looked(*(kept.get(f"{part}.{index}") for part in ("map", "reconstruction", "samples")))
            for index, name in enumerate(kept["names"])
        }
        return Panels(kept["image"], kept["mask"], kept["subject"], looked)


def _grey(slices: torch.Tensor | None) -> NDArray[np.uint8] | None:
    if slices is None:
        return None
    grey: NDArray[np.uint8] = np.rint(slices[:, 0].float().clamp(0, 1).cpu().numpy() * 255).astype(np.uint8)
    return grey
