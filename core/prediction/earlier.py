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
    """Rows of scores.csv and of slice_scores.csv, and what prediction.json tells; empty where no call ended before."""

    volumes: list[list[str]]
    slices: list[list[str]]
    told: dict[str, Any]

    def without(self, names: Sequence[str]) -> "Earlier":
        """What is left when these scans are scored again."""
        again = set(names)
        unlike = {name: share for name, share in self.told.get("unlike", {}).items() if name not in again}
        volumes, slices = ([row for row in rows if row[0] not in again] for rows in self[:2])
        return Earlier(volumes, slices, self.told | {"unlike": unlike})


def read_earlier(folder: Path) -> Earlier:
    """Raises BadInput where prediction.json stands beside a table that `core.predict` did not write so."""
    try:
        told = json.loads((folder / TOLD).read_text(encoding="utf-8"))
        told["volume_score"]
    except (OSError, ValueError, TypeError, KeyError):
        return Earlier([], [], {})
    return Earlier(_rows(folder / SCORES, VOLUME_COLUMNS), _rows(folder / SLICE_SCORES, SLICE_COLUMNS), told)


def _rows(path: Path, columns: Sequence[str]) -> list[list[str]]:
    if not path.is_file():
        return []
    try:
        with path.open(newline="", encoding="utf-8") as file:
            header, *rows = csv.reader(file, strict=True)
    except (ValueError, csv.Error):
        header, rows = [], []
    if header != list(columns) or any(len(row) != len(columns) for row in rows):
        raise BadInput(f"{path}: is not as core.predict wrote it, {REPLACED}")
    return rows
