"""Patients of every BraTS release."""

from pathlib import Path

import pytest

from core.errors import BadInput
from core.slices.brats import PAPER_CASES, BratsSource
from core.slices.choosing import subject_list
from core.slices.ingesting import ingest
from tests.slices.trees import SMALL, make_brats, make_newer_brats, write


def test_choice(tmp_path: Path) -> None:
    make_brats(tmp_path)

    def names(**options: object) -> list[str]:
        return [file.subject[-3:] for file in BratsSource(tmp_path, **options).volumes()]

    assert names() == ["001", "002", "U_1"]
    assert names(subjects=["BraTS20_Training_002"]) == ["002"]
    assert names(exclude=["BraTS20_Training_002"]) == ["001", "U_1"]


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"subjects": ["BraTS20_Training_01"]}, "no subject 'BraTS20_Training_01' .* mean 'BraTS20_Training_001'"),
        ({"exclude": ["nobody"]}, "has no subject 'nobody' among its 3$"),
        (
            {"subjects": ["BraTS20_Training_001"], "exclude": ["BraTS20_Training_001"]},
            "'BraTS20_Training_001' is both chosen and excluded",
        ),
        (
            {"exclude": ["BraTS20_Training_001", "BraTS20_Training_002", "Brats18_CBICA_ALU_1"]},
            "no subject is left of 3",
        ),
    ],
)
def test_wrong_choice(tmp_path: Path, options: dict[str, list[str]], sentence: str) -> None:
    make_brats(tmp_path)
    with pytest.raises(BadInput, match=sentence):
        BratsSource(tmp_path, **options).volumes()


def test_no_patients(tmp_path: Path) -> None:
    write(tmp_path / "images" / "a.nii.gz", 0)
    with pytest.raises(BadInput, match="holds no patient folder such as BraTS20_Training_001"):
        BratsSource(tmp_path).volumes()


def test_a_patient_without_the_modality_is_skipped(tmp_path: Path) -> None:
    make_brats(tmp_path)
    (tmp_path / "BraTS20_Training_001" / "BraTS20_Training_001_seg.nii.gz").unlink()
    report = ingest(BratsSource(tmp_path), tmp_path / "t.arrow", SMALL)
    assert report.skipped == (("BraTS20_Training_001_t2", "has no BraTS20_Training_001_seg.nii.gz"),)
    assert report.used == 2
    with pytest.raises(BadInput, match=r"none of 3 volumes can be used; the first, .*has no .*_t1\.nii\.gz"):
        ingest(BratsSource(tmp_path, "t1"), tmp_path / "u.arrow", SMALL)
    assert not (tmp_path / "u.arrow").exists()


def test_the_same_patient_twice(tmp_path: Path) -> None:
    make_brats(tmp_path)
    write(tmp_path / "LGG" / "Brats18_CBICA_ALU_1" / "Brats18_CBICA_ALU_1_t2.nii.gz", 0)
    with pytest.raises(BadInput, match=r"patient 'Brats18_CBICA_ALU_1' is also in .*HGG"):
        BratsSource(tmp_path).volumes()


def test_subject_lists(tmp_path: Path) -> None:
    assert subject_list("a, b,c") == ("a", "b", "c")
    many = [str(100_300 + number) for number in range(45)]
    assert subject_list(",".join(many)) == tuple(many)  # longer than a file's name can be
    (tmp_path / "list.txt").write_text("a\n# not this\n\n b \n")
    assert subject_list(str(tmp_path / "list.txt")) == ("a", "b")
    (tmp_path / "list.txt").write_bytes(b"\xef\xbb\xbfa\r\nb\r\n")  # as Windows writes UTF-8
    assert subject_list(str(tmp_path / "list.txt")) == ("a", "b")
    with pytest.raises(BadInput, match="names no subject"):
        subject_list(" , ")
    with pytest.raises(BadInput, match=r"nowhere\.txt: no such file"):
        subject_list(str(tmp_path / "nowhere.txt"))


def test_both_generations_of_names(tmp_path: Path) -> None:
    make_newer_brats(tmp_path)
    found = BratsSource(tmp_path).volumes()
    assert [(file.volume, file.subject) for file in found] == [
        ("BraTS-GLI-00000-000_t2", "BraTS-GLI-00000"),
        ("BraTS-GLI-00000-001_t2", "BraTS-GLI-00000"),
        ("BraTS-GLI-00002-000_t2", "BraTS-GLI-00002"),
    ]
    one = BratsSource(tmp_path, "t1ce", subjects=["BraTS-GLI-00000"]).volumes()
    assert [file.image.name for file in one] == [f"BraTS-GLI-00000-00{n}-t1c.nii.gz" for n in range(2)]
    assert BratsSource(tmp_path, "flair").volumes()[0].fault == "has no BraTS-GLI-00000-000-t2f.nii.gz"
    write(tmp_path / "BraTS2021_00009" / "BraTS2021_00009_t2.nii", 0)
    write(tmp_path / "BraTS2021_00009" / "BraTS2021_00009_seg.nii", 0, mask=True)
    last = BratsSource(tmp_path).volumes()[-1]
    assert (last.subject, last.image.name, last.fault) == ("BraTS2021_00009", "BraTS2021_00009_t2.nii", "")


def test_the_case_whose_segmentation_has_another_name(tmp_path: Path) -> None:
    make_brats(tmp_path)
    odd = tmp_path / "BraTS20_Training_355"
    write(odd / "BraTS20_Training_355_t2.nii", 7)
    write(odd / "W39_1998.09.19_Segm.nii", 7, mask=True)
    report = ingest(BratsSource(tmp_path), tmp_path / "t.arrow", SMALL)
    assert (report.used, report.skipped) == (4, ())
    note = "its segmentation is W39_1998.09.19_Segm.nii, as BraTS 2020 shipped it"
    assert report.table.metadata.source["notes"] == [["BraTS20_Training_355_t2", note]]
    assert (~report.table.normal[report.table.rows_of(["brats/BraTS20_Training_355"])]).sum() == 3


def test_the_cases_of_the_paper(tmp_path: Path) -> None:
    assert len(PAPER_CASES) == 368
    for name in [*PAPER_CASES, "BraTS20_Training_355", "Brats18_CBICA_ALU_1"]:
        for word in ("t2", "seg"):
            (tmp_path / name).mkdir(exist_ok=True)
            (tmp_path / name / f"{name}_{word}.nii").touch()
    found = BratsSource(tmp_path, paper_cases=True).volumes()
    assert {file.subject for file in found} == PAPER_CASES
    assert not any(file.fault for file in found)
    (tmp_path / "BraTS20_Training_007").rename(tmp_path / "BraTS20_Training_777")
    with pytest.raises(BadInput, match="lacks 1 of the paper's 368 cases, such as BraTS20_Training_007"):
        BratsSource(tmp_path, paper_cases=True).volumes()
    with pytest.raises(BadInput, match="another one was given too"):
        BratsSource(tmp_path, subjects=["BraTS20_Training_001"], paper_cases=True)
