"""Files that a user has where core.predict writes: none is replaced, and a second call is as the first."""

import os
import subprocess
from pathlib import Path

import pytest

from tests import forked
from tests.prediction.conftest import Store, head


def program(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    return forked.run("core.predict", [*arguments, "--device", "cpu"], cwd=cwd, env=os.environ)


def files(folder: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize(
    "name", ["a_anomaly.nii.gz", "a_mask.nii.gz", "a.png", "scores.csv", "slice_scores.csv", "prediction.json"]
)
def test_a_file_that_it_did_not_write_is_not_replaced(name: str, detector: Path, store: Store, tmp_path: Path) -> None:
    """Said before anything is predicted; without that file, the same call twice is as one."""
    store("a.nii.gz", head(1))
    store("b.nii.gz", head(2))
    words = ["detector", "scans", "--out", ".", "--mask", "--pictures"]
    own = tmp_path / name
    own.write_bytes((tmp_path / "scans" / "b.nii.gz").read_bytes())
    before = files(tmp_path)
    done = program(*words, cwd=tmp_path)
    assert done.returncode == 2
    elsewhere = "expected another --out folder, or this file elsewhere"
    assert done.stderr == f"error: {name}: no earlier core.predict wrote it, and it would be replaced; {elsewhere}\n"
    assert files(tmp_path) == before
    own.unlink()
    for _ in range(2):
        done = program(*words, cwd=tmp_path)
        assert done.returncode == 0, done.stderr
    assert {"a_anomaly.nii.gz", "b_mask.nii.gz", "b.png", name} <= {path.name for path in tmp_path.iterdir()}


def test_what_a_killed_call_left_is_replaced(detector: Path, store: Store, tmp_path: Path) -> None:
    """It had no time for prediction.json."""
    store("a.nii.gz", head(1))
    words = ["detector", "scans", "--out", "out", "--mask", "--pictures"]
    assert program(*words, cwd=tmp_path).returncode == 0
    (tmp_path / "out" / "prediction.json").unlink()
    done = program(*words, cwd=tmp_path)
    assert done.returncode == 0, done.stderr


def test_a_scan_is_not_replaced_by_its_map(detector: Path, store: Store, tmp_path: Path) -> None:
    """A map that is scored in its turn, from a folder of links."""
    scan = store("a.nii.gz", head(1))
    assert program("detector", "scans", "--out", "out", cwd=tmp_path).returncode == 0
    scan.unlink()
    scan.symlink_to(tmp_path / "out" / "a_anomaly.nii.gz")
    before = files(tmp_path)
    done = program("detector", "scans", "--out", "out", cwd=tmp_path)
    assert done.returncode == 2
    assert done.stderr == (
        "error: out/a_anomaly.nii.gz: is one of the scans, and it would be replaced; expected another --out folder, "
        "or this file elsewhere\n"
    )
    assert files(tmp_path) == before
