"""The contract that every source signs, and what each reads from its folders."""

import json
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from core.errors import BadInput
from core.slices.brats import BratsSource, subject_list
from core.slices.folder import FolderSource
from core.slices.ingesting import ingest
from core.slices.preprocess import Preprocessing
from core.slices.source import Source

SMALL = Preprocessing(side=16, slices=6)


def write(path: Path, seed: int, *, mask: bool = False) -> None:
    """A 12 x 14 x 10 volume with a ball of tissue in its middle, or the mask of a box in slices 5 to 7."""
    voxels = np.random.default_rng(seed).integers(1, 900, (12, 14, 10)).astype(np.int16)
    if mask:
        voxels[:] = 0
        voxels[5:8, 5:8, 5:8] = [1, 2, 4]
    path.parent.mkdir(parents=True, exist_ok=True)
    nib.save(nib.Nifti1Image(voxels, np.diag([2.0, 2, 2, 1])), path)


def make_folder(root: Path) -> None:
    for n in range(4):
        write(root / "images" / f"s{n}.nii.gz", n)
        write(root / "masks" / f"s{n}.nii.gz", n, mask=True)


def make_brats(root: Path) -> None:
    for n, name in enumerate(["BraTS20_Training_001", "BraTS20_Training_002", "HGG/Brats18_CBICA_ALU_1"]):
        patient = name.split("/")[-1]
        write(root / name / f"{patient}_t2.nii.gz", n)
        write(root / name / f"{patient}_flair.nii.gz", n + 50)
        write(root / name / f"{patient}_seg.nii.gz", n, mask=True)


SOURCES = {
    "folder": (make_folder, lambda root: FolderSource(root, "made")),
    "folder, normals": (make_folder, lambda root: FolderSource(root, "made", normal_only=True)),
    "brats": (make_brats, BratsSource),
    "brats, normals": (make_brats, lambda root: BratsSource(root, "flair", tumour_free=True)),
}


@pytest.mark.parametrize("kind", SOURCES)
def test_contract(kind: str, tmp_path: Path) -> None:
    make, of = SOURCES[kind]
    here, moved = tmp_path / "here", tmp_path / "moved"
    make(here)
    source: Source = of(here)
    volumes = source.volumes()
    assert volumes == sorted(volumes, key=lambda file: file.volume) == source.volumes()
    assert len({file.volume for file in volumes}) == len(volumes) >= 3
    assert all(file.dataset == source.name and file.image.is_file() and not file.fault for file in volumes)
    described = source.describe()
    assert str(tmp_path) not in json.dumps(described)

    first = ingest(source, tmp_path / "a.arrow", SMALL, workers=1)
    here.rename(moved)
    seen: list[tuple[int, int, str]] = []
    again = ingest(of(moved), tmp_path / "b.arrow", SMALL, workers=4, progress=lambda *told: seen.append(told))
    assert first.table.digest == again.table.digest
    assert (tmp_path / "a.arrow").read_bytes() == (tmp_path / "b.arrow").read_bytes()
    assert seen == [(n + 1, len(volumes), file.volume) for n, file in enumerate(volumes)]
    assert (again.used, again.skipped, again.found) == (len(volumes), (), len(volumes))
    assert again.table.metadata.source == described
    assert len(again.table.metadata.source_digest) == 64
    if "normals" in kind:
        assert again.table.normal.all()
        assert "patients" in again.table.metadata.source["normals"]
        assert again.table.slice_index[:3].tolist() == [2, 3, 4]
    else:
        assert not again.table.normal.all()


def test_source_digest_follows_content(tmp_path: Path) -> None:
    make_folder(tmp_path / "d")
    before = ingest(FolderSource(tmp_path / "d"), tmp_path / "a.arrow", SMALL).table.metadata.source_digest
    write(tmp_path / "d" / "images" / "s3.nii.gz", 99)
    assert ingest(FolderSource(tmp_path / "d"), tmp_path / "a.arrow", SMALL).table.metadata.source_digest != before


def test_dataset_without_slash(tmp_path: Path) -> None:
    make_folder(tmp_path / "d")
    with pytest.raises(BadInput, match="dataset name 'a/b': expected a name without a slash"):
        ingest(FolderSource(tmp_path / "d", "a/b"), tmp_path / "a.arrow", SMALL)


class TestFolder:
    def test_files_may_lie_in_the_root(self, tmp_path: Path) -> None:
        write(tmp_path / "b.nii", 0)
        write(tmp_path / "a.nii.gz", 1)
        write(tmp_path / ".hidden.nii.gz", 1)
        found = FolderSource(tmp_path).volumes()
        assert [(file.volume, file.subject, file.mask) for file in found] == [("a", "a", None), ("b", "b", None)]
        assert found[0].dataset == tmp_path.name

    def test_volumes_csv(self, tmp_path: Path) -> None:
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
            ("volume\ns0\ns1\n", "volumes.csv: has no line for volume 's2'"),
            ("volume\n\xff\n", "volumes.csv: not a CSV text file in UTF-8"),
        ],
    )
    def test_wrong_volumes_csv(self, tmp_path: Path, text: str, sentence: str) -> None:
        make_folder(tmp_path)
        (tmp_path / "volumes.csv").write_bytes(text.encode("latin-1"))
        with pytest.raises(BadInput, match=sentence):
            FolderSource(tmp_path).volumes()

    def test_masks_must_belong(self, tmp_path: Path) -> None:
        make_folder(tmp_path)
        (tmp_path / "images" / "s1.nii.gz").unlink()
        with pytest.raises(BadInput, match="masks: no image belongs to the mask s1"):
            FolderSource(tmp_path).volumes()

    def test_a_volume_without_its_mask_is_skipped(self, tmp_path: Path) -> None:
        make_folder(tmp_path)
        (tmp_path / "masks" / "s1.nii.gz").unlink()
        report = ingest(FolderSource(tmp_path, "d"), tmp_path / "t.arrow", SMALL)
        assert report.skipped == (("s1", f"has no mask, although {tmp_path.name}/masks exists"),)
        assert report.table.subjects == ("d/s0", "d/s2", "d/s3")

    def test_two_files_of_one_name(self, tmp_path: Path) -> None:
        write(tmp_path / "a.nii", 0)
        write(tmp_path / "a.nii.gz", 1)
        with pytest.raises(BadInput, match=r"both a\.nii and a\.nii\.gz"):
            FolderSource(tmp_path).volumes()


class TestBrats:
    def test_choice(self, tmp_path: Path) -> None:
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
    def test_wrong_choice(self, tmp_path: Path, options: dict[str, list[str]], sentence: str) -> None:
        make_brats(tmp_path)
        with pytest.raises(BadInput, match=sentence):
            BratsSource(tmp_path, **options).volumes()

    def test_no_patients(self, tmp_path: Path) -> None:
        write(tmp_path / "images" / "a.nii.gz", 0)
        with pytest.raises(BadInput, match="holds no patient folder such as BraTS20_Training_001"):
            BratsSource(tmp_path).volumes()

    def test_a_patient_without_the_modality_is_skipped(self, tmp_path: Path) -> None:
        make_brats(tmp_path)
        (tmp_path / "BraTS20_Training_001" / "BraTS20_Training_001_seg.nii.gz").unlink()
        report = ingest(BratsSource(tmp_path), tmp_path / "t.arrow", SMALL)
        assert report.skipped == (("BraTS20_Training_001_t2", "has no BraTS20_Training_001_seg.nii.gz"),)
        assert report.used == 2
        with pytest.raises(BadInput, match=r"none of 3 volumes can be used; the first, .*has no .*_t1\.nii\.gz"):
            ingest(BratsSource(tmp_path, "t1"), tmp_path / "u.arrow", SMALL)
        assert not (tmp_path / "u.arrow").exists()

    def test_the_same_patient_twice(self, tmp_path: Path) -> None:
        make_brats(tmp_path)
        write(tmp_path / "LGG" / "Brats18_CBICA_ALU_1" / "Brats18_CBICA_ALU_1_t2.nii.gz", 0)
        with pytest.raises(BadInput, match=r"patient 'Brats18_CBICA_ALU_1' is also in .*HGG"):
            BratsSource(tmp_path).volumes()

    def test_subject_lists(self, tmp_path: Path) -> None:
        assert subject_list("a, b,c") == ("a", "b", "c")
        (tmp_path / "list.txt").write_text("a\n# not this\n\n b \n")
        assert subject_list(str(tmp_path / "list.txt")) == ("a", "b")
        with pytest.raises(BadInput, match="names no subject"):
            subject_list(" , ")
