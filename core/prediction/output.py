"""The folder that `core.predict` writes.

NAME_anomaly.nii.gz     the anomaly map: float32 in (0, 1), where the scan is; 0 where no slice was scored
NAME_mask.nii.gz        with masks: 1 where the map reaches the threshold
NAME.png                with pictures: slices beside the map; NAME_1_PLANE.png and so on with several detectors
scores.csv              one row per scan          slice_scores.csv    one row per slice
prediction.json         detectors, scale and threshold of the maps, rule of the scores, scans that were skipped, and
                        those that an interrupted call did not finish
"""

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from core.durable import replacing, write_json
from core.errors import BadInput, BadVolume
from core.prediction.earlier import NOTHING, REPLACED, SCORES, SLICE_SCORES, TOLD, read_earlier
from core.prediction.mosaic import mosaic
from core.prediction.volume import Prediction, Predictor, Rule, opened
from core.prediction.writing import SLICE_COLUMNS, VOLUME_COLUMNS, slice_rows, volume_row, write_nifti, write_table
from core.provenance import provenance
from core.slices.files import printable, stem
from core.slices.frame_edge import AIR

_MAP = "anomaly map, calibrated, 0 to 1"
_MASK = "anomaly map at its threshold"
_UNLIKE = 0.1  # of the tissue; healthy scans that are prepared like the training scans have 0.01


class Output:
    """Writes each scan's files at once, and the tables of all at the end, or when the scans are interrupted.

    The tables keep the rows of other scans that were scored in the same way.

    unlike: scans whose map is high in so much of the tissue that its scale hardly holds for them, and how much that is.
    edge: scans whose air seems to count as tissue, and how much of the edge of their slices does.
    """

    def __init__(self, folder: Path, predictors: list[Predictor], rule: Rule, *, mask: bool, pictures: bool) -> None:
        """Raises BadInput when masks are asked of a detector that has no threshold."""
        if mask and (without := [one.name for one in predictors if one.threshold is None]):
            raise BadInput(f"{without[0]}: has no threshold for --mask, since no probe with pseudo-outliers set one")
        self.folder, self.predictors, self.rule, self.mask, self.pictures = folder, predictors, rule, mask, pictures
        self.unlike: dict[str, float] = {}
        self.edge: dict[str, float] = {}
        self._rows: list[tuple[list[object], list[list[object]]]] = []  # of each scan: its own, and its slices'
        self._threshold: float | None = None

    def require_own(self, scans: Sequence[Path]) -> None:
        """Raise BadInput where these scans' results would replace a scan, a file that no earlier call wrote, or
        rows of other scans that were scored otherwise, which one table cannot hold beside these.

        Maps and masks tell in their header that they are such. Pictures and tables cannot, so they are taken for an
        earlier call's where it left prediction.json, or any map if it was killed before that.
        """
        names = [stem(path) for path in scans if printable(path.name) == path.name]
        given = {os.path.realpath(path) for path in scans}
        maps = [self._map(name) for name in names] + [self._mask(name) for name in names if self.mask]
        maps = [path for path in maps if path.is_file()]
        for path in maps:
            if os.path.realpath(path) in given:
                raise BadInput(f"{path}: is one of the scans, {REPLACED}")
            if not _is_map(path):
                raise BadInput(f"{path}: no earlier core.predict wrote it, {REPLACED}")
        before = read_earlier(self.folder)
        if others := [row[0] for row in before.without(names).volumes if not self._scored_alike(before.told)]:
            raise BadInput(
                f"{self.folder / SCORES}: has scores of {others[0]} by other detectors or another rule, which would be "
                "lost; expected another --out folder"
            )
        if maps or before.told:
            return
        pictures = [path for name in names if self.pictures for path in self._pictures(name)]
        for path in (*pictures, *(self.folder / name for name in (SCORES, SLICE_SCORES, TOLD))):
            if path.is_file():
                raise BadInput(f"{path}: no earlier core.predict wrote it, {REPLACED}")

    def keep(self, name: str, prediction: Prediction) -> None:
        """Write one scan's map, mask and pictures."""
        like = prediction.path
        write_nifti(self._map(name), like, prediction.map, _MAP)
        self._threshold = prediction.threshold()
        if self.mask and self._threshold is not None:
            above = (prediction.map >= self._threshold).astype(np.uint8)
            write_nifti(self._mask(name), like, above, _MASK)
        if self.pictures:
            for path, found in zip(self._pictures(name), prediction.found, strict=True):
                _, png = cv2.imencode(".png", mosaic(found))
                with replacing(path) as temporary:
                    temporary.write_bytes(png.tobytes())
        if (share := prediction.rare()) > _UNLIKE:
            self.unlike[name] = share
        if (share := prediction.edge()) > AIR:
            self.edge[name] = share
        self._rows.append((volume_row(name, prediction, self.rule), slice_rows(name, prediction)))

    @property
    def finished(self) -> int:
        """Scans whose files are all written."""
        return len(self._rows)

    def finish(self, skipped: list[tuple[str, str]], unfinished: list[str]) -> None:
        """Write the tables and prediction.json; what an earlier call wrote is left alone when no scan was finished.

        unfinished: names of files that were neither finished nor skipped.
        """
        if not self._rows:
            return
        before = read_earlier(self.folder).without([str(volume[0]) for volume, _ in self._rows])
        if not self._scored_alike(before.told):
            before = NOTHING
        volumes: list[Sequence[object]] = [*before.volumes, *(volume for volume, _ in self._rows)]
        slices: list[Sequence[object]] = [*before.slices, *(row for _, rows in self._rows for row in rows)]
        write_table(self.folder / SCORES, VOLUME_COLUMNS, sorted(volumes, key=_name))
        write_table(self.folder / SLICE_SCORES, SLICE_COLUMNS, sorted(slices, key=_name))
        content = {
            "detectors": self._described(),
            "threshold": self._threshold,
            "volume_score": self.rule,
            "skipped": [list(each) for each in skipped],
            "unfinished": unfinished,
            "unlike": before.unlike | self.unlike,
            "edge": before.edge | self.edge,
            "provenance": provenance(self.predictors[0].device),
        }
        write_json(self.folder / TOLD, content)

    def _described(self) -> list[dict[str, Any]]:
        return [
            {
                "detector": one.name,
                "preprocessing": asdict(one.preprocessing),
                "calibration": one.calibration.to_dict(),
                "threshold_logit": one.threshold,
                "slice_score": one.score,
            }
            for one in self.predictors
        ]

    def _scored_alike(self, told: Mapping[str, Any]) -> bool:
        """Whether an earlier call, by what it told, used the same detectors and the same rule; their folders may have
        been named in another way, as from another working directory."""
        mine = {"detectors": self._described(), "volume_score": self.rule}
        return _manner(json.loads(json.dumps(mine))) == _manner(told)

    def _map(self, name: str) -> Path:
        return self.folder / f"{name}_anomaly.nii.gz"

    def _mask(self, name: str) -> Path:
        return self.folder / f"{name}_mask.nii.gz"

    def _pictures(self, name: str) -> list[Path]:
        """One for each detector."""
        if len(self.predictors) == 1:
            return [self.folder / f"{name}.png"]
        planes = enumerate((one.preprocessing.plane for one in self.predictors), start=1)
        return [self.folder / f"{name}_{number}_{plane}.png" for number, plane in planes]


def _manner(told: Mapping[str, Any]) -> tuple[list[dict[str, Any]], Any]:
    """How a call scored, by what it told; no two detectors share the knots of their calibration."""
    unnamed = [{key: one[key] for key in one if key != "detector"} for one in told.get("detectors", ())]
    return unnamed, told.get("volume_score")


def _is_map(path: Path) -> bool:
    try:
        return opened(path).header["descrip"].item() in (_MAP.encode(), _MASK.encode())
    except BadVolume:
        return False


def _name(row: Sequence[object]) -> str:
    return str(row[0])
