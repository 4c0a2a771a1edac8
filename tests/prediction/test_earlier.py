"""What core.predict left in its folder before, as a later call reads it."""

import json
from pathlib import Path

import pytest

from core.errors import BadInput
from core.prediction.earlier import NOTHING, SCORES, SLICE_SCORES, TOLD, read_earlier
from core.prediction.writing import SLICE_COLUMNS, VOLUME_COLUMNS, write_table

NAMES = (" a", "b,c", " a")
VOLUMES, SLICES = (
    [[name, *(f"{place}" for place in range(len(columns) - 1))] for name in names]
    for names, columns in ((NAMES[:2], VOLUME_COLUMNS), (NAMES, SLICE_COLUMNS))
)
UNLIKE, EDGE = {" a": 0.25, "b,c": 0.5}, {" a": 0.75, "d": 0.5}
SAID = {"volume_score": "max", "unlike": UNLIKE, "edge": EDGE, "detectors": []}


def tell(folder: Path, said: object = SAID) -> None:
    (folder / TOLD).write_text(json.dumps(said))


def test_rows_come_back_and_those_of_scans_that_are_scored_again_do_not(tmp_path: Path) -> None:
    tell(tmp_path)
    assert read_earlier(tmp_path) == ([], [], UNLIKE, EDGE, SAID)
    write_table(tmp_path / SCORES, VOLUME_COLUMNS, VOLUMES)
    write_table(tmp_path / SLICE_SCORES, SLICE_COLUMNS, SLICES)
    found = read_earlier(tmp_path)
    assert found == (VOLUMES, SLICES, UNLIKE, EDGE, SAID)
    assert found.without([" a", "d"]) == (VOLUMES[1:], SLICES[1:2], {"b,c": 0.5}, {}, SAID)


def test_an_earlier_version_told_nothing_of_the_edge(tmp_path: Path) -> None:
    tell(tmp_path, {name: told for name, told in SAID.items() if name != "edge"})
    assert read_earlier(tmp_path).edge == {}


@pytest.mark.parametrize(
    "said", [[], {}, {"volume_score": "max"}, {"unlike": {}}, {"volume_score": "max", "unlike": 3}]
)
def test_what_tells_of_no_call_that_ended_is_nothing(said: object, tmp_path: Path) -> None:
    (tmp_path / SCORES).write_text("mine")
    assert read_earlier(tmp_path) is NOTHING
    (tmp_path / TOLD).write_text("{")
    assert read_earlier(tmp_path) is NOTHING
    tell(tmp_path, said)
    assert read_earlier(tmp_path) is NOTHING


@pytest.mark.parametrize("file", [SCORES, SLICE_SCORES])
def test_a_table_of_other_columns_or_with_a_row_too_short_is_refused(file: str, tmp_path: Path) -> None:
    columns, rows = (VOLUME_COLUMNS, VOLUMES) if file == SCORES else (SLICE_COLUMNS, SLICES)
    tell(tmp_path)
    for header, last in ((columns[1:], rows[-1]), (columns, rows[-1][1:]), (columns, [*rows[-1], "more"])):
        write_table(tmp_path / file, header, [rows[0], last])
        with pytest.raises(BadInput, match=f"{file}: is not as core.predict wrote it, and it would be replaced"):
            read_earlier(tmp_path)
