"""A detector's figures beside the paper's, only where its data are the paper's; else what keeps them apart."""

import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from core.protocols.published import PUBLISHED, Data
from core.slices.table import SliceTable

FIGURES = {
    "sample_auroc": "sample.mean.auroc",
    "sample_ap": "sample.mean.average_precision",
    "pixel_auroc": "pixel.auroc",
    "pixel_ap": "pixel.average_precision",
}
"""The paper's columns, and our names of the same; the paper's slice score is the mean of the map."""
TITLES = {
    "sample_auroc": "sample AUROC",
    "sample_ap": "sample AP",
    "pixel_auroc": "pixel AUROC",
    "pixel_ap": "pixel AP",
}
"""The same columns, as readers see them."""


@dataclass(frozen=True)
class Described:
    """What a slice table says of itself. subjects: names without the dataset."""

    source: dict[str, Any]
    preprocessing: dict[str, Any]
    subjects: tuple[str, ...]
    slices: int
    height: int
    width: int

    @classmethod
    def of(cls, table: SliceTable) -> "Described":
        """Read from the table's metadata and rows."""
        names = tuple(key.split("/", 1)[1] for key in table.subjects)
        about = table.metadata
        return cls(about.source, about.preprocessing, names, len(table), table.height, table.width)

    def __str__(self) -> str:
        words = {key: self.source.get(key) for key in ("kind", "dataset", "modality", "task", "part")}
        known = " ".join(dict.fromkeys(str(word) for word in words.values() if word)) or "data of unknown source"
        shape = f"{self.slices} slices of {self.height}x{self.width}"
        return f"{known}, {len(self.subjects)} subjects, {shape}, equalised: {self.preprocessing.get('equalise', '?')}"


def beside_paper(
    entries: Sequence[dict[str, Any]], test: Described, train: Described | None, held_out: int
) -> list[dict[str, Any]]:
    """The paper's rows by table, `measured`: the detector's interval per figure or None, and a note that says why.

    entries: as in evaluation.json, the detector first. train: None when it is not recorded what it was trained on;
    held_out: how many of its subjects make the probe.
    """
    intervals = entries[0]["intervals"]
    found = []
    for table in PUBLISHED:
        note = _obstacle(test, table.test, "data not at hand")
        if not note and train is None:
            note = "not measured: what the detector was trained on is not recorded beside it"
        elif not note and train is not None:
            note = _obstacle(train, table.train, "trained on other data")
        measured = None if note else {name: intervals.get(key) for name, key in FIGURES.items()}
        if measured and held_out:
            note = f"trained without {held_out} of the paper's {table.train.subjects} subjects, which make the probe"
        published = [asdict(row) for row in table.rows]
        found.append({"table": table.title, "published": published, "measured": measured, "note": note})
    return found


def _obstacle(found: Described, wanted: Data, otherwise: str) -> str:
    """Why this table is not the paper's, in a few words; empty when it is."""
    odd = next((name for name in found.subjects if not re.fullmatch(wanted.subject, name)), None)
    other = [
        *_differing([(key, found.source.get(key), value) for key, value in wanted.source.items()]),
        *([f"subject {odd}, expected such as {wanted.example}"] if odd else []),
    ]
    if other:
        return f"not measured: {otherwise} ({other[0]})"
    # Over the volume or each slice: the paper leaves the scope of the equalisation open.
    equalised = {"volume": True, "slice": True, "none": False}.get(found.preprocessing.get("equalise", ""))
    settings = _differing(
        [
            ("subjects", len(found.subjects), wanted.subjects),
            ("slices", found.slices, wanted.slices or found.slices),
            ("size", f"{found.height}x{found.width}", f"{wanted.side}x{wanted.side}"),
            ("equalised", equalised, wanted.equalised),
        ]
    )
    return f"not measured: the paper's data, but {'; '.join(settings)}" if settings else ""


def _differing(asked: Sequence[tuple[str, Any, Any]]) -> list[str]:
    return [f"{name} {value}, expected {expected}" for name, value, expected in asked if value != expected]
