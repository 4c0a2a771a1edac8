"""What earlier calls of `core.predict` left in its folder: scans that are not scored again keep their rows."""

import csv
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from core.errors import BadInput
from core.prediction.writing import SLICE_COLUMNS, VOLUME_COLUMNS

SCORES, SLICE_SCORES, TOLD = "scores.csv", "slice_scores.csv", "prediction.json"
REPLACED = "and it would be replaced; expected another --out folder, or this file elsewhere"


class Earlier(NamedTuple):
    """Rows of scores.csv and of slice_scores.csv, scans that are `unlike` or have tissue at the `edge`, and all that
    prediction.json tells."""

    volumes: list[list[str]]
    slices: list[list[str]]
    unlike: dict[str, float]
    edge: dict[str, float]
    told: dict[str, Any]

    def without(self, names: Sequence[str]) -> "Earlier":
        """What is left when these scans are scored again."""
        again = set(names)
        volumes, slices = ([row for row in rows if row[0] not in again] for rows in (self.volumes, self.slices))
        unlike, edge = (
            {name: share for name, share in shares.items() if name not in again} for shares in (self.unlike, self.edge)
        )
        return Earlier(volumes, slices, unlike, edge, self.told)


NOTHING = Earlier([], [], {}, {}, {})


def read_earlier(folder: Path) -> Earlier:
    """NOTHING where no call ended before.

    Raises BadInput where prediction.json stands beside a table that is not as `core.predict` writes it.
    """
    try:
        told = json.loads((folder / TOLD).read_text(encoding="utf-8"))
        _, unlike, edge = told["volume_score"], dict(told["unlike"]), dict(told.get("edge", {}))
    except (OSError, ValueError, TypeError, KeyError):
        return NOTHING
    volumes, slices = _rows(folder / SCORES, VOLUME_COLUMNS), _rows(folder / SLICE_SCORES, SLICE_COLUMNS)
    return Earlier(volumes, slices, unlike, edge, told)


def _rows(path: Path, columns: Sequence[str]) -> list[list[str]]:
    if not path.is_file():
        return []
    try:
        # As it stands: the reader of users' tables takes spaces away, which a scan's name may have.
        with path.open(newline="", encoding="utf-8") as file:
            header, *rows = csv.reader(file, strict=True)
    except (ValueError, csv.Error):
        header, rows = [], []
    if header != list(columns) or any(len(row) != len(columns) for row in rows):
        raise BadInput(f"{path}: is not as core.predict wrote it, {REPLACED}")
    return rows
