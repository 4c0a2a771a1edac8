"""Small trees of files in the layout of each source."""

from pathlib import Path

import nibabel as nib
import numpy as np

from core.slices.preprocess import Preprocessing

SMALL = Preprocessing(side=16, slices=6)


def write(path: Path, seed: int, *, mask: bool = False, empty: bool = False) -> None:
    """A 12 x 14 x 10 volume with a ball of tissue in its middle, or the mask of a box in slices 5 to 7, or none."""
    voxels = np.random.default_rng(seed).integers(1, 900, (12, 14, 10)).astype(np.int16)
    if mask:
        voxels[:] = 0
        voxels[5:8, 5:8, 5:8] = [0, 0, 0] if empty else [1, 2, 4]
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


def make_newer_brats(root: Path) -> None:
    """The names since 2023; one patient was scanned twice."""
    for n, name in enumerate(["BraTS-GLI-00000-000", "BraTS-GLI-00000-001", "BraTS-GLI-00002-000"]):
        write(root / name / f"{name}-t2w.nii.gz", n)
        write(root / name / f"{name}-t1c.nii.gz", n)
        write(root / name / f"{name}-seg.nii.gz", n, mask=True)


def make_hcp(root: Path) -> None:
    for n, subject in enumerate(["100307", "100408", "101107"]):
        write(root / subject / "T1w" / "T2w_acpc_dc_restore_brain.nii.gz", n)
        write(root / subject / "T1w" / "T2w_acpc_dc_restore.nii.gz", n + 50)
        write(root / subject / "unprocessed/3T/T2w_SPC1" / f"{subject}_3T_T2w_SPC1.nii.gz", n + 60)
        write(root / subject / "unprocessed/3T/T2w_SPC1" / f"{subject}_3T_BIAS_32CH.nii.gz", n + 70)


def make_mood(root: Path) -> None:
    """Four toy cases, the last without anomaly."""
    for n in range(4):
        write(root / "toy" / f"toy_{n}.nii.gz", n)
        write(root / "toy_label" / "pixel" / f"toy_{n}.nii.gz", n, mask=True, empty=n == 3)
        label = root / "toy_label" / "sample" / f"toy_{n}.nii.gz.txt"
        label.parent.mkdir(parents=True, exist_ok=True)
        label.write_text(f"{int(n != 3)}\n")


def make_flat(root: Path) -> None:
    for n in range(3):
        write(root / f"0000{n}.nii.gz", n)


def make_bids(root: Path) -> None:
    """Two patients, one of two sessions, with masks of two pipelines, and two controls."""
    lines = ["participant_id\tgroup\tsex"]
    scans = ["sub-01/anat/sub-01", "sub-02/ses-1/anat/sub-02_ses-1", "sub-02/ses-2/anat/sub-02_ses-2"]
    for n, scan in enumerate(scans):
        write(root / f"{scan}_T2w.nii.gz", n)
        write(root / f"{scan}_T1w.nii.gz", n + 50)
        write(root / "derivatives" / "lesions" / f"{scan}_label-lesion_mask.nii.gz", n, mask=True)
        write(root / "derivatives" / "lesions" / f"{scan}_desc-brain_mask.nii.gz", n, mask=True)
        write(root / "derivatives" / "manual" / f"{scan}_roi.nii.gz", n, mask=True)
    for n in (3, 4):
        write(root / f"sub-0{n}" / "anat" / f"sub-0{n}_run-1_T2w.nii.gz", n)
        write(root / f"sub-0{n}" / "anat" / f"sub-0{n}_run-2_T2w.nii.gz", n + 10)
    lines += ["sub-01\tpatient\tF", "sub-02\tpatient\tM", "sub-03\tcontrol\tF", "sub-04\tcontrol\tM"]
    (root / "participants.tsv").write_text("\n".join(lines) + "\n")


def make_manifest(root: Path) -> None:
    """Three volumes of two subjects in folders of their own."""
    for n, subject in enumerate(["anna", "anna", "ben"]):
        write(root / subject / f"scan{n}.nii.gz", n)
        write(root / "lesions" / f"{n}.nii", n, mask=True)
    rows = ["image,subject,mask,family,group", "anna/scan0.nii.gz,anna,lesions/0.nii,rim,patient"]
    rows += ["anna/scan1.nii.gz,anna,,,control", "./ben/scan2.nii.gz,ben,lesions/2.nii,,patient"]
    (root / "volumes.csv").write_text("\n".join(rows) + "\n")


def make_unmasked_manifest(root: Path) -> None:
    make_flat(root)
    (root / "volumes.csv").write_text("image,subject\n00000.nii.gz,anna\n")
