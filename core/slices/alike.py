"""Tables that one detector sees: slices of one size, made alike, and no subject in two roles."""

import re
from collections.abc import Iterator, Mapping
from hashlib import blake2b
from itertools import combinations
from typing import Any

import numpy as np

from core.errors import BadInput
from core.slices.split import require_disjoint
from core.slices.table import SliceTable

_DECISIVE = ("plane", "equalise")
"""Options of an ingest without which a detector sees slices that it does not know; the rest follows the source."""
_TISSUE = 0.05  # share of tissue from which slices that are equal are of one scan
_COUNTED = re.compile(r"\D*0*\d{1,3}\D*")  # sub-01: a number that says who of a data set this is, and no more


def require_alike(table: SliceTable, size: tuple[int, int], made: Mapping[str, Any], where: str) -> None:
    """Raise BadInput when a table's slices are not of this height and width, or were made otherwise.

    made: fields of Preprocessing; what either side does not tell is taken for equal. where: what they belong to.
    """
    if (table.height, table.width) != size:
        height, width = size
        raise BadInput(
            f"{table.path}: slices of {table.height}x{table.width}, expected {height}x{width} as in {where}; "
            f"ingest it with --side {height}"
        )
    has = table.metadata.preprocessing
    for name in _DECISIVE:
        if name in has and name in made and has[name] != made[name]:
            raise BadInput(
                f"{table.path}: slices with {name} {has[name]}, expected {made[name]} as in {where}; "
                f"ingest it with --{name} {made[name]}"
            )


def require_fit(train: SliceTable, **others: SliceTable | None) -> None:
    """Raise BadInput when a probe or test table does not belong beside this training table, or that has lesions.

    Subjects that the probe holds out are not trained on, so it may be made from the training table. A scan that two of
    the tables have is refused under whatever name.
    """
    found = {role: table for role, table in others.items() if table is not None}
    for table in found.values():
        require_alike(table, (train.height, train.width), train.metadata.preprocessing, str(train.path))
    subjects = {role: table.subjects for role, table in found.items()}
    trained = set(train.subjects) - set(subjects.get("probe", ()))
    if not trained:
        raise BadInput(f"{train.path}: every subject of it is in the probe, expected some to train on")
    if lesions := int((~train.normal[train.rows_of(trained)]).sum()):
        raise BadInput(
            f"{train.path}: {lesions} slices to train on carry a lesion mask, expected healthy ones; "
            "--tumour-free ingests those of patients"
        )
    require_disjoint(train=trained, **subjects)
    for (first, one), (second, other) in combinations({"training": train, **found}.items(), 2):
        require_other_scans(one, other, second, first)


def require_other_scans(one: SliceTable, other: SliceTable, role: str, first: str = "training") -> None:
    """Raise BadInput when a table has a scan of another one under another name. role, first: what they are for."""
    own = set(other.subjects)  # which a probe of the training table holds out
    known = {content: one.subject[row] for row, content in _contents(one) if one.subject[row] not in own}
    both = sorted({(other.subject[row], known[content]) for row, content in _contents(other) if content in known})
    if both:
        subject, same = map(str, both[0])
        more = f", and so have {len(both) - 1} more" if len(both) > 1 else ""
        raise BadInput(
            f"{other.path}: subject {subject!r} has slices of subject {same!r} of {one.path}{more}: they are the "
            f"same scans under two names, and {first} and {role} must not meet"
        )


def _contents(table: SliceTable) -> Iterator[tuple[int, bytes]]:
    """Row and digest of each slice with enough tissue to be no other's."""
    for number, images in enumerate(table.image_views()):
        start, end = table.span(number)
        for index in np.flatnonzero(table.foreground[start:end] >= _TISSUE):
            yield start + int(index), blake2b(images[index].data, digest_size=16).digest()


def namesakes(first: SliceTable, second: SliceTable) -> list[str]:
    """Names of subjects that both tables have under different data sets: perhaps the same people.

    Names that many data sets use, such as sub-01, tell nothing and are left out.
    """
    by_name = {key.split("/", 1)[1]: key for key in first.subjects}
    found = {key.split("/", 1)[1]: key for key in second.subjects}
    shared = (name for name in by_name.keys() & found.keys() if by_name[name] != found[name])
    return sorted(name for name in shared if not _COUNTED.fullmatch(name))
