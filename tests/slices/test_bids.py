"""BIDS data sets: suffixes, groups, and lesion masks among derivatives."""

import shutil
from pathlib import Path

import pytest

from core.errors import BadInput
from core.slices.bids import BidsSource
from core.slices.choosing import Group
from core.slices.ingesting import ingest
from core.slices.sources import open_source
from tests.slices.trees import SMALL, make_bids, write


def faults(source: BidsSource) -> dict[str, str]:
    return {file.volume: file.fault for file in source.volumes()}


def test_volumes_are_runs_and_sessions(tmp_path: Path) -> None:
    make_bids(tmp_path)
    found = BidsSource(tmp_path, "T1w").volumes()
    assert [file.volume for file in found if not file.image.is_dir()] == [
        "sub-01_T1w",
        "sub-02_ses-1_T1w",
        "sub-02_ses-2_T1w",
    ]
    assert {file.subject: file.fault for file in found[-2:]} == {
        f"sub-0{n}": "has no anat/*_T1w.nii.gz" for n in (3, 4)
    }
    controls = BidsSource(tmp_path, group=Group.parse("control")).volumes()
    assert [(file.subject, file.volume) for file in controls] == [
        (f"sub-0{n}", f"sub-0{n}_run-{run}_T2w") for n in (3, 4) for run in (1, 2)
    ]


def test_two_files_of_one_name(tmp_path: Path) -> None:
    make_bids(tmp_path)
    write(tmp_path / "sub-01" / "anat" / "sub-01_T2w.nii", 0)
    with pytest.raises(BadInput, match=r"both sub-01_T2w\.nii and sub-01_T2w\.nii\.gz, expected one file per volume"):
        BidsSource(tmp_path).volumes()


def test_masks_of_a_pipeline(tmp_path: Path) -> None:
    make_bids(tmp_path)
    patients = Group.parse("patient")
    for pipeline, word in (("lesions", "label-lesion_mask"), ("manual", "roi")):
        found = BidsSource(tmp_path, group=patients, masks=pipeline).volumes()
        assert [file.mask.name for file in found] == [
            f"sub-01_{word}.nii.gz",
            f"sub-02_ses-1_{word}.nii.gz",
            f"sub-02_ses-2_{word}.nii.gz",
        ]
    anat = tmp_path / "derivatives" / "lesions" / "sub-01" / "anat"
    write(anat / "sub-01_run-2_label-lesion_mask.nii.gz", 0, mask=True)  # of another scan
    assert faults(BidsSource(tmp_path, group=patients, masks="lesions"))["sub-01_T2w"] == ""
    write(anat / "sub-01_space-orig_label-lesion_mask.nii.gz", 0, mask=True)
    assert (
        faults(BidsSource(tmp_path, group=patients, masks="lesions"))["sub-01_T2w"]
        == "has 2 masks in derivatives/lesions, expected one"
    )
    assert faults(BidsSource(tmp_path, masks="lesions"))["sub-03_run-1_T2w"] == "has no mask in derivatives/lesions"


def test_patients_are_not_taken_for_healthy(tmp_path: Path) -> None:
    make_bids(tmp_path)
    report = ingest(BidsSource(tmp_path, dataset="b"), tmp_path / "t.arrow", SMALL)
    assert report.table.subjects == ("b/sub-03", "b/sub-04")
    reason = "its subject has a lesion mask in derivatives/lesions, so that it is no normal volume"
    assert dict(report.skipped) == dict.fromkeys(("sub-01_T2w", "sub-02_ses-1_T2w", "sub-02_ses-2_T2w"), reason)


def test_groups(tmp_path: Path) -> None:
    make_bids(tmp_path)

    def subjects(text: str) -> list[str]:
        return sorted({file.subject for file in BidsSource(tmp_path, group=Group.parse(text)).volumes()})

    assert subjects("patient") == ["sub-01", "sub-02"]
    assert subjects("control, patient") == ["sub-01", "sub-02", "sub-03", "sub-04"]
    assert subjects("sex=F") == ["sub-01", "sub-03"]
    shutil.rmtree(tmp_path / "sub-03")
    assert subjects("sex=F") == ["sub-01"]


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"group": "sibling"}, r"participants\.tsv: column 'group' nowhere holds 'sibling', only control, patient"),
        ({"group": "age=3"}, r"participants\.tsv: has no column 'age', only participant_id, group, sex"),
        ({"group": "=x"}, "group '=x': expected a value, such as control, or column=value"),
        ({"group": "a,,b"}, "group 'a,,b': expected a value"),
        ({"subjects": "sub-01"}, "--subjects is for hcp and brats, not for bids"),
        ({"masks": "nnunet"}, "derivatives: has no pipeline 'nnunet', only lesions, manual"),
        ({"modality": "*"}, r"BIDS suffix '\*': expected a word such as T2w"),
    ],
)
def test_wrong_choice(options: dict[str, str | bool | None], sentence: str, tmp_path: Path) -> None:
    make_bids(tmp_path)
    with pytest.raises(BadInput, match=sentence):
        open_source("bids", tmp_path, None, options).volumes()


def test_no_participants(tmp_path: Path) -> None:
    make_bids(tmp_path)
    table = tmp_path / "participants.tsv"
    table.write_text("participant\tgroup\nsub-01\tcontrol\n")
    source = BidsSource(tmp_path, group=Group.parse("control"))
    with pytest.raises(BadInput, match="has no column 'participant_id'"):
        source.volumes()
    table.write_text("participant_id\tgroup\nsub-77\tcontrol\n")
    with pytest.raises(BadInput, match="none of the 1 participants with group=control has a folder"):
        source.volumes()
    table.unlink()
    with pytest.raises(BadInput, match=r"participants\.tsv: no such file"):
        source.volumes()


def test_a_lesion_anywhere_makes_the_whole_subject_no_normal(tmp_path: Path) -> None:
    """In another session, and a mask of another acquisition than the scan that is read."""
    for session in (1, 2):
        write(tmp_path / "sub-01" / f"ses-{session}" / "anat" / f"sub-01_ses-{session}_T2w.nii.gz", session)
    write(tmp_path / "sub-02" / "anat" / "sub-02_acq-hi_T2w.nii.gz", 3)
    write(tmp_path / "sub-03" / "anat" / "sub-03_T2w.nii.gz", 4)
    masks = tmp_path / "derivatives" / "lesions"
    write(masks / "sub-01" / "ses-1" / "anat" / "sub-01_ses-1_label-lesion_mask.nii.gz", 0, mask=True)
    write(masks / "sub-02" / "anat" / "sub-02_acq-lo_label-lesion_mask.nii.gz", 0, mask=True)
    write(masks / "sub-03" / "anat" / "sub-03_desc-brain_mask.nii.gz", 0, mask=True)
    told = faults(BidsSource(tmp_path))
    assert {name for name, fault in told.items() if not fault} == {"sub-03_T2w"}
