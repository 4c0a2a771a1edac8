"""The paper's other data sets: healthy heads of HCP, and MOOD's training folders and toy cases."""

from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from core.errors import BadInput
from core.slices.hcp import HcpSource
from core.slices.ingesting import ingest
from core.slices.mood import MoodSource
from core.slices.preprocess import Preprocessing
from tests.slices.trees import SMALL, make_flat, make_hcp, make_mood, write


@pytest.mark.parametrize(
    ("image", "name", "foreground"),
    [
        ("restore_brain", "T1w/T2w_acpc_dc_restore_brain.nii.gz", "positive"),
        ("restore", "T1w/T2w_acpc_dc_restore.nii.gz", "otsu"),
        ("unprocessed", "unprocessed/3T/T2w_SPC1/100307_3T_T2w_SPC1.nii.gz", "otsu"),
    ],
)
def test_hcp_images(image: str, name: str, foreground: str, tmp_path: Path) -> None:
    make_hcp(tmp_path)
    source = HcpSource(tmp_path, image)
    first = source.volumes()[0]
    assert (first.image, first.subject, first.mask) == (tmp_path / "100307" / name, "100307", None)
    assert source.preprocessing == Preprocessing(128, 90, "volume", foreground=foreground)


def test_hcp_choice_and_what_is_missing(tmp_path: Path) -> None:
    make_hcp(tmp_path)
    (tmp_path / "release-notes").mkdir()
    (tmp_path / "999999").mkdir()
    spc = tmp_path / "100408/unprocessed/3T/T2w_SPC1"
    write(spc / "100408_3T_again_T2w_SPC1.nii.gz", 5)
    assert [file.subject for file in HcpSource(tmp_path, exclude=["100307"]).volumes()] == [
        "100408",
        "101107",
        "999999",
    ]
    assert [file.subject for file in HcpSource(tmp_path, subjects=["101107"]).volumes()] == ["101107"]
    report = ingest(HcpSource(tmp_path), tmp_path / "t.arrow", SMALL)
    assert report.skipped == (("999999_restore_brain", "has no T1w/T2w_acpc_dc_restore_brain.nii.gz"),)
    faults = {file.subject: file.fault for file in HcpSource(tmp_path, "unprocessed").volumes() if file.fault}
    assert faults == {
        "100408": "has 2 files unprocessed/3T/T2w_SPC1/*_T2w_SPC1.nii.gz, expected one",
        "999999": "has no unprocessed/3T/T2w_SPC1/999999_3T_T2w_SPC1.nii.gz",
    }
    with pytest.raises(BadInput, match="HCP image 'T1w': expected restore_brain, restore, unprocessed"):
        HcpSource(tmp_path, "T1w")
    with pytest.raises(BadInput, match="has no subject '10030' among its 4; did you mean '100307'"):
        HcpSource(tmp_path, subjects=["10030"]).volumes()


def test_mood_is_only_sliced(tmp_path: Path) -> None:
    """Grey levels are linear in the volume's values, from 0 to the largest."""
    values = np.zeros((12, 12, 8), np.float32)
    values[2:10, 2:10] = np.linspace(0.1, 1, 8, dtype=np.float32)[:, None, None]
    nib.save(nib.Nifti1Image(values, np.eye(4)), tmp_path / "0.nii.gz")
    source = MoodSource(tmp_path, "abdominal")
    assert source.preprocessing.slices == 256
    assert MoodSource(tmp_path).preprocessing == Preprocessing(128, 128, "none", 0, 100)
    table = ingest(source, tmp_path / "t.arrow", Preprocessing(12, 8, "none", 0, 100)).table
    row = table.images([0])[0, 6]
    np.testing.assert_array_equal(row[2:10][::-1], np.rint(1 + 254 * np.linspace(0, 1, 8)))
    assert not row[[0, 1, 10, 11]].any()


def test_mood_labels(tmp_path: Path) -> None:
    make_mood(tmp_path)
    table = ingest(MoodSource(tmp_path), tmp_path / "t.arrow", SMALL).table
    assert set(table.subject[~table.normal]) == {f"mood-brain/toy_{n}" for n in range(3)}
    assert table.metadata.source["part"] == "toy"
    # As the challenge's scorer does: the labels' own affine does not count.
    label = tmp_path / "toy_label" / "pixel" / "toy_0.nii.gz"
    (tmp_path / "toy_label" / "sample" / "._toy_0.nii.gz.txt").write_bytes(b"\0\5")  # as a Mac leaves it
    voxels = np.asarray(nib.load(label).dataobj)
    nib.save(nib.Nifti1Image(voxels, np.diag([-1.0, -1, 3, 1])), label)
    again = ingest(MoodSource(tmp_path), tmp_path / "t.arrow", SMALL).table
    np.testing.assert_array_equal(again.masks(slice(None)), table.masks(slice(None)))


def test_mood_labels_that_are_wrong(tmp_path: Path) -> None:
    make_mood(tmp_path)
    pixel, sample = tmp_path / "toy_label" / "pixel", tmp_path / "toy_label" / "sample"
    (pixel / "toy_0.nii.gz").unlink()
    (sample / "toy_1.nii.gz.txt").write_text("0")
    (sample / "toy_2.nii.gz.txt").write_text("maybe")
    (pixel / "toy_3.nii.gz").unlink()
    report = ingest(MoodSource(tmp_path), tmp_path / "t.arrow", SMALL)
    assert report.skipped == (
        ("toy_0", "has no label toy_label/pixel/toy_0.nii.gz"),
        ("toy_1", "toy_1.nii.gz: holds an anomaly, while the volume's own label says that it has none"),
        ("toy_2", "its label toy_2.nii.gz.txt holds 'maybe', expected 0 or 1"),
    )
    assert report.table.normal.all()  # toy_3 is known to be normal from its label alone
    (sample / "toy_3.nii.gz.txt").write_text("1")
    write(pixel / "toy_3.nii.gz", 0, mask=True, empty=True)
    with pytest.raises(BadInput, match="none of 4 volumes can be used"):
        ingest(MoodSource(tmp_path), tmp_path / "t.arrow", SMALL)
    write(pixel / "toy_9.nii.gz", 0, mask=True)
    with pytest.raises(BadInput, match=r"no volume in toy belongs to the label of toy_9\.nii\.gz"):
        MoodSource(tmp_path).volumes()
    with pytest.raises(BadInput, match="MOOD task 'colon': expected brain or abdominal"):
        MoodSource(tmp_path, "colon")


@pytest.mark.parametrize(("task", "name"), [("brain", "brain"), ("abdominal", "abdom")])
def test_mood_names_its_training_folder_for_one_near_it(task: str, name: str, tmp_path: Path) -> None:
    """As the challenge suggests them: brain/brain_train beside abdom/abdom_train, each with toy and toy_label."""
    training = tmp_path / name / f"{name}_train"
    (tmp_path / "other").mkdir()
    training.mkdir(parents=True)
    mistakes = [
        (tmp_path, "holds neither .nii.gz files, for training, nor the folder toy"),
        (training.parent, "holds neither .nii.gz files, for training, nor the folder toy"),
        (training.parent / "images", "no such folder"),
    ]
    for hint in ("", f"; did you mean {training}?"):
        for given, told in mistakes:
            with pytest.raises(BadInput) as refused:
                MoodSource(given, task).volumes()
            assert str(refused.value) == f"{given}: {told}{hint}"
        make_flat(training)  # an empty folder is not named
    with pytest.raises(BadInput, match=r"other: holds neither .* nor the folder toy$"):
        MoodSource(tmp_path / "other", task).volumes()
    assert len(MoodSource(training, task).volumes()) == 3


def test_mood_toy_cases_are_not_taken_for_training(tmp_path: Path) -> None:
    make_mood(tmp_path)
    with pytest.raises(BadInput) as refused:
        MoodSource(tmp_path / "toy").volumes()
    assert str(refused.value) == (
        f"{tmp_path / 'toy'}: its labels lie beside it, in toy_label; did you mean {tmp_path}?"
    )


def test_a_link_to_nothing_is_told(tmp_path: Path) -> None:
    """As in a data set of which only the names were fetched so far."""
    make_flat(tmp_path)
    (tmp_path / "00003.nii.gz").symlink_to("../annex/gone")
    (tmp_path / "00004.nii.gz").symlink_to("00004.nii.gz")
    report = ingest(MoodSource(tmp_path), tmp_path / "t.arrow", SMALL)
    assert report.skipped == (
        ("00003", "00003.nii.gz: cannot be read (No such file or directory)"),
        ("00004", "00004.nii.gz: cannot be read (Too many levels of symbolic links)"),
    )
