"""Manifests: paths, names, lines, and the three file formats."""

from pathlib import Path

import pandas as pd
import pytest

from core.errors import BadInput
from core.slices.choosing import Group
from core.slices.ingesting import ingest
from core.slices.manifest import ManifestSource
from tests.slices.trees import SMALL, make_manifest


@pytest.mark.parametrize("ending", ["csv", "tsv", "parquet"])
def test_every_format_says_the_same(ending: str, tmp_path: Path) -> None:
    make_manifest(tmp_path)
    frame = pd.read_csv(tmp_path / "volumes.csv")
    path = tmp_path / f"scans.{ending}"
    frame.to_parquet(path) if ending == "parquet" else frame.to_csv(path, sep=",\t"[ending == "tsv"], index=False)
    found = ManifestSource(path, "d").volumes()
    assert found == ManifestSource(tmp_path / "volumes.csv", "d").volumes()
    assert [(file.volume, file.subject, file.family) for file in found] == [
        ("anna_scan0", "anna", "rim"),
        ("anna_scan1", "anna", None),
        ("ben_scan2", "ben", None),
    ]
    assert [file.mask and file.mask.relative_to(tmp_path).as_posix() for file in found] == [
        "lesions/0.nii",
        None,
        "lesions/2.nii",
    ]
    source = ManifestSource(path, group=Group.parse("control"))
    assert [file.volume for file in source.volumes()] == ["anna_scan1"]
    assert source.describe()["group"] == "group=control"
    assert ManifestSource(path).describe()["group"] is None


def test_other_columns_are_left_alone(tmp_path: Path) -> None:
    make_manifest(tmp_path)
    columns = ["age", "sex", "page", "scanner", "date", "site", "species"]
    rows = [",".join(["image,subject", *columns]), ",".join(["anna/scan0.nii.gz,anna", *columns])]
    (tmp_path / "m.csv").write_text("\n".join(rows))
    assert len(ManifestSource(tmp_path / "m.csv").volumes()) == 1


def test_names_and_datasets(tmp_path: Path) -> None:
    make_manifest(tmp_path)
    rows = ["image,subject,volume,dataset", "anna/scan0.nii.gz,x,first,A", f"{tmp_path}/ben/scan2.nii.gz,x,second,B"]
    (tmp_path / "m.csv").write_text("\n".join(rows))
    table = ingest(ManifestSource(tmp_path / "m.csv"), tmp_path / "t.arrow", SMALL).table
    assert table.subjects == ("A/x", "B/x")  # two people
    assert sorted(set(table.volume)) == ["first", "second"]
    assert table.normal.all()


def test_files_that_are_not_there_are_skipped_by_line(tmp_path: Path) -> None:
    make_manifest(tmp_path)
    text = (tmp_path / "volumes.csv").read_text()
    (tmp_path / "m.csv").write_text(text + "gone.nii.gz,carl,,,\nm.csv,dora,,,\nben,eve,,,\n")
    (tmp_path / "lesions" / "2.nii").unlink()
    report = ingest(ManifestSource(tmp_path / "m.csv"), tmp_path / "t.arrow", SMALL)
    assert report.used == 2
    assert report.skipped == (
        ("ben_scan2", "m.csv, line 4: mask '2.nii' does not exist"),
        ("carl_gone", "m.csv, line 5: image 'gone.nii.gz' does not exist"),
        ("dora_m.csv", "m.csv, line 6: image 'm.csv' is not a .nii or .nii.gz file"),
        ("eve_ben", "m.csv, line 7: image 'ben' is not a .nii or .nii.gz file"),
    )


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("path,subject\n", "has no column 'image', expected image, subject, mask, volume, dataset, family"),
        ("image\na.nii\n", "has no column 'subject'"),
        ("image,subject,Mask\n", "has a column 'Mask'; did you mean 'mask'?"),
        ("image,subject,famly\n", "has a column 'famly'; did you mean 'family'?"),
        ("image,subject,subject\n", "has two columns 'subject'"),
        ("image,subject\n", "names no volume"),
        ("image,subject\na.nii,\n", "line 2: has no subject"),
        ("image,subject\n,a\n", "line 2: has no image"),
        ("image,subject,dataset\na.nii,a,x/y\n", "line 2: dataset 'x/y', expected a name without a slash"),
        ("image,subject\na.nii,a\n\n./b/../a.nii,b\n", r"line 4: image './b/../a.nii' is there already, in line 2"),
        ("image,subject\na/s.nii,s\nb/s.nii,s\n", "line 3: volume 's' is there already, in line 2"),
        ("image,subject\na.nii,a,b\n", "line 2: has more values than the 2 columns image, subject"),
        ('image,subject\na.nii,a\n\nb.nii,"b\nc.nii,c\n', "cannot be read from line 3 on (unexpected end of data)"),
        ("image;subject\na.nii;a\n", "its columns are separated by ';', expected ','"),
        ("image,subject\n\xff,a\n", "not a CSV text file in UTF-8"),
    ],
)
def test_wrong_manifests(text: str, sentence: str, tmp_path: Path) -> None:
    (tmp_path / "m.csv").write_bytes(text.encode("latin-1"))
    with pytest.raises(BadInput, match=r"m\.csv[:,] ") as refused:
        ManifestSource(tmp_path / "m.csv").volumes()
    assert sentence in str(refused.value)


def test_no_manifest(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"gone\.csv: no such file"):
        ManifestSource(tmp_path / "gone.csv").volumes()
    with pytest.raises(BadInput, match=r"ends in '\.xlsx', expected \.csv, \.tsv or \.parquet"):
        ManifestSource(tmp_path / "m.xlsx").volumes()
    (tmp_path / "m.parquet").write_text("no Parquet")
    with pytest.raises(BadInput, match="not a Parquet file"):
        ManifestSource(tmp_path / "m.parquet").volumes()
