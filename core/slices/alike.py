"""Tables that one detector sees: slices of one size, made alike, and no subject in two roles."""

from collections.abc import Mapping
from typing import Any

from core.errors import BadInput
from core.slices.split import require_disjoint
from core.slices.table import SliceTable

_DECISIVE = ("plane", "equalise")
"""Options of an ingest without which a detector sees slices that it does not know; the rest follows the source."""


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
    """Raise BadInput when a probe or test table does not belong beside this training table.

    Subjects that the probe holds out are not trained on, so it may be made from the training table.
    """
    found = {role: table for role, table in others.items() if table is not None}
    for table in found.values():
        require_alike(table, (train.height, train.width), train.metadata.preprocessing, str(train.path))
    subjects = {role: table.subjects for role, table in found.items()}
    trained = set(train.subjects) - set(subjects.get("probe", ()))
    if not trained:
        raise BadInput(f"{train.path}: every subject of it is in the probe, expected some to train on")
    require_disjoint(train=trained, **subjects)


def namesakes(first: SliceTable, second: SliceTable) -> list[str]:
    """Names of subjects that both tables have under different data sets: perhaps the same people."""
    by_name = {key.split("/", 1)[1]: key for key in first.subjects}
    found = {key.split("/", 1)[1]: key for key in second.subjects}
    return sorted(name for name in by_name.keys() & found.keys() if by_name[name] != found[name])
