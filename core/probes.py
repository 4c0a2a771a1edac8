"""The probe: fixed pseudo-outliers of many families on held-out healthy subjects, on which every trial is scored."""

from collections.abc import Iterator
from itertools import cycle, islice
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from core.errors import BadInput
from core.families import FAMILIES, Family
from core.slices.layout import TableMetadata, VolumeSlices
from core.slices.split import split_subjects
from core.slices.table import SliceTable, write_table

_RECIPE = 1  # raise when a family changes: older probes are then no longer comparable
_TRIES = 50  # regions tried on one slice
_SLICES_TRIED = 20
_LEAST_TISSUE = 0.08
_LEAST_PIXELS = 6
_VISIBLE = 0.06


def build_probe(
    table: SliceTable, path: Path, *, held_out: float | int = 0.25, per_family: int = 30, clean: int = 60, seed: int = 0
) -> SliceTable:
    """Hold subjects out of a table of healthy slices and write the probe made of them.

    held_out: share or number of the subjects, never more than the probe has slices. per_family: altered slices of
    each family. clean: unaltered slices. Slices are spread evenly over the held-out subjects and drawn with replacement
    only where these run short.
    Raises BadInput with fewer than two subjects, when the table is not all normal, or when `path` is the table itself.
    """
    if path.resolve() == table.path.resolve():
        raise BadInput(f"{path}: is the table that the probe is made from, expected another file")
    if not table.normal.all():
        raise BadInput(
            f"{table.path}: {int((~table.normal).sum())} slices carry a lesion mask; a probe needs healthy ones"
        )
    _, subjects = split_subjects(table.subjects, held_out, seed)
    places = clean + per_family * len(FAMILIES)
    if len(subjects) > places:
        _, subjects = split_subjects(table.subjects, places, seed)
    metadata = TableMetadata(
        preprocessing=table.metadata.preprocessing,
        source={
            "kind": "probe",
            "recipe": _RECIPE,
            "seed": seed,
            "from": table.digest,
            "held_out_subjects": list(subjects),
            "families": {name: {"held_out": family.held_out} for name, family in FAMILIES.items()},
        },
        source_digest=table.metadata.source_digest,
    )
    return write_table(path, _volumes(table, subjects, per_family, clean, seed), metadata)


def _volumes(
    table: SliceTable, subjects: tuple[str, ...], per_family: int, clean: int, seed: int
) -> Iterator[VolumeSlices]:
    wanted = [None] * clean + [name for name in FAMILIES for _ in range(per_family)]
    for number, subject in enumerate(subjects):
        # Every subject takes each n-th place of the list, so that every family meets every subject.
        mine = wanted[number :: len(subjects)]
        rng = np.random.default_rng([seed, number])
        rows = table.rows_of([subject])
        rows = rng.permutation(rows[table.foreground[rows] > _LEAST_TISSUE])
        if not rows.size:
            raise BadInput(
                f"{table.path}: subject {subject} has no slice with {_LEAST_TISSUE:.0%} tissue for the probe"
            )
        queue = cycle(rows)
        following = subjects[(number + 1) % len(subjects)]
        others = table.rows_of([following]) if following != subject else table.rows_without(subjects)
        images, masks, chosen = [], [], []
        for name in mine:
            row, altered, mask = _place(name, table, queue, others, rng)
            images.append(altered)
            masks.append(mask)
            chosen.append(row)
        first = rows[0]
        yield VolumeSlices(
            dataset=str(table.dataset[first]),
            subject=subject.split("/", 1)[1],
            volume=str(table.volume[first]),
            images=np.stack(images),
            masks=np.stack(masks),
            slice_index=table.slice_index[np.array(chosen)],
            families=mine,
        )


def _place(
    name: str | None, table: SliceTable, queue: Iterator[np.intp], others: NDArray[np.intp], rng: np.random.Generator
) -> tuple[np.intp, NDArray[np.uint8], NDArray[np.uint8]]:
    """The next slice that can carry this family: its row, the altered slice, and the mask. Raises BadInput."""
    for row in islice(queue, _SLICES_TRIED):
        image = table.images(np.array([row]))[0]
        if name is None:
            return row, image, np.zeros_like(image)
        nearest = others[np.argmin(np.abs(table.slice_index[others] - table.slice_index[row]))]
        pair = _alter(FAMILIES[name], image, table.images(np.array([nearest]))[0], rng)
        if pair is not None:
            return row, *pair
    raise BadInput(f"{table.path}: no slice could carry a pseudo-outlier of {name}; expected slices with more tissue")


def _alter(
    family: Family, image: NDArray[np.uint8], other: NDArray[np.uint8], rng: np.random.Generator
) -> tuple[NDArray[np.uint8], NDArray[np.uint8]] | None:
    """Draw until the region lies on tissue and the change shows; the mask is where it does."""
    before, foreign = image / np.float32(255), other / np.float32(255)
    tissue = image > 0
    inner = cv2.erode(tissue.astype(np.uint8), np.ones((3, 3), np.uint8))
    for _ in range(_TRIES):
        region = family.region(rng, image.shape[0])
        if region.sum() < 4 or (inner * region).sum() < 0.7 * region.sum():
            continue
        region = region * tissue
        after = np.clip(family.alter(before, foreign, region, rng), 0, 1)
        # Tissue stays tissue: at value 0 the place would be given away by the background's own mark.
        after = np.where(tissue, np.maximum(after, 1 / 255), 0).astype(np.float32)
        visible = cv2.blur(np.abs(after - before), (3, 3)) > _VISIBLE
        core = region > 0.5
        mask = (visible & core).astype(np.uint8)
        if mask.sum() >= max(0.6 * core.sum(), _LEAST_PIXELS):
            return np.rint(after * 255).astype(np.uint8), mask
    return None
