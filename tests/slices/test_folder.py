"""Plain folders of volumes."""

from pathlib import Path

import pytest

from core.errors import BadInput
from core.slices.folder import FolderSource
from core.slices.ingesting import ingest
from tests.slices.trees import SMALL, make_folder, write


def test_files_may_lie_in_the_root(tmp_path: Path) -> None:
    write(tmp_path / "b.nii", 0)
    write(tmp_path / "a.nii.gz", 1)
    write(tmp_path / ".hidden.nii.gz", 1)
    found = FolderSource(tmp_path).volumes()
    assert [(file.volume, file.subject, file.mask) for file in found] == [("a", "a", None), ("b", "b", None)]
    assert found[0].dataset == tmp_path.name


def test_endings_in_capitals_are_endings(tmp_path: Path) -> None:
    """Volumes that are passed over without a word would be missed by nobody."""
    make_folder(tmp_path / "d")
    for folder in ("images", "masks"):
        scan = tmp_path / "d" / folder / "s0.nii.gz"
        scan.rename(scan.with_name("s0.NII.GZ"))
    report = ingest(FolderSource(tmp_path / "d"), tmp_path / "t.arrow", SMALL)
    assert (report.used, report.skipped) == (4, ())
    write(tmp_path / "d" / "images" / "s0.nii", 0)
    with pytest.raises(BadInput, match=r"both s0\.NII\.GZ and s0\.nii, expected one file per volume"):
        FolderSource(tmp_path / "d").volumes()


def test_volumes_csv(tmp_path: Path) -> None:
    make_folder(tmp_path)
    (tmp_path / "volumes.csv").write_text("volume,subject,family\ns0,anna,rim\ns1,anna,\ns2,,\ns3,ben,dark\n")
    found = [(file.subject, file.family) for file in FolderSource(tmp_path).volumes()]
    assert found == [("anna", "rim"), ("anna", None), ("s2", None), ("ben", "dark")]
    table = ingest(FolderSource(tmp_path, "d"), tmp_path / "t.arrow", SMALL).table
    assert table.subjects == ("d/anna", "d/ben", "d/s2")
    lesion = ~table.normal
    assert set(table.family[lesion & (table.volume == "s0")]) == {"rim"}
    assert set(table.family[~lesion]) == {None}


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("name,subject\n", "volumes.csv: has no column volume"),
        ("", "volumes.csv: has no column volume"),
        ("volume,age\n", "volumes.csv: has an unknown column 'age', expected volume, subject, family"),
        ("volume\ns0\nnobody\n", "volumes.csv, line 3: no image belongs to volume 'nobody'"),
        ("volume\ns0\ns0\n", "volumes.csv, line 3: volume 's0' is listed a second time"),
        ("volume\ns0,anna\n", "volumes.csv, line 2: has more values than the 1 columns volume"),
        ("volume\ns0\ns1\n", "volumes.csv: has no line for volume s2, s3"),
        ("volume\n\xff\n", "volumes.csv: not a CSV text file in UTF-8"),
    ],
)
def test_wrong_volumes_csv(tmp_path: Path, text: str, sentence: str) -> None:
    make_folder(tmp_path)
    (tmp_path / "volumes.csv").write_bytes(text.encode("latin-1"))
    with pytest.raises(BadInput, match=sentence):
        FolderSource(tmp_path).volumes()


def test_masks_must_belong(tmp_path: Path) -> None:
    make_folder(tmp_path)
    (tmp_path / "images" / "s1.nii.gz").unlink()
    with pytest.raises(BadInput, match="masks: no image belongs to the mask s1"):
        FolderSource(tmp_path).volumes()


def test_a_volume_without_its_mask_is_skipped(tmp_path: Path) -> None:
    make_folder(tmp_path)
    (tmp_path / "masks" / "s1.nii.gz").unlink()
    report = ingest(FolderSource(tmp_path, "d"), tmp_path / "t.arrow", SMALL)
    assert report.skipped == (("s1", f"has no mask, although {tmp_path.name}/masks exists"),)
    assert report.table.subjects == ("d/s0", "d/s2", "d/s3")


def test_two_files_of_one_name(tmp_path: Path) -> None:
    write(tmp_path / "a.nii", 0)
    write(tmp_path / "a.nii.gz", 1)
    with pytest.raises(BadInput, match=r"both a\.nii and a\.nii\.gz"):
        FolderSource(tmp_path).volumes()
