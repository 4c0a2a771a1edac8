"""Files that a user has where core.predict writes: none is replaced, and a second call is as the first."""

import subprocess
from pathlib import Path

import pytest

from core.mirror import names, place
from core.slices.table import SliceTable
from tests import inline
from tests.prediction.conftest import Store, head


def program(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    return inline.run("core.predict", [*arguments, "--device", "cpu"], cwd=cwd)


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


def test_scans_that_are_scored_one_by_one_have_the_tables_of_one_call(
    detector: Path, store: Store, tmp_path: Path
) -> None:
    for seed, name in enumerate("ab"):
        store(f"{name}.nii.gz", head(seed))
    assert program("detector", "scans", "--out", "at-once", cwd=tmp_path).returncode == 0
    for name in "bab":
        done = program("detector", f"scans/{name}.nii.gz", "--out", "each", cwd=tmp_path)
        assert done.returncode == 0, done.stderr
    for name in ("scores.csv", "slice_scores.csv"):
        assert (tmp_path / "each" / name).read_bytes() == (tmp_path / "at-once" / name).read_bytes()


def test_a_detector_may_be_named_in_another_way(detector: Path, store: Store, tmp_path: Path) -> None:
    """By its whole path, or from another working directory."""
    for seed, name in enumerate("ab"):
        store(f"{name}.nii.gz", head(seed))
    assert program("detector", "scans/a.nii.gz", "--out", "out", cwd=tmp_path).returncode == 0
    done = program(str(detector), "scans/b.nii.gz", "--out", "out", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    rows = (tmp_path / "out" / "scores.csv").read_text().splitlines()
    assert [row.split(",")[0] for row in rows] == ["volume", "a", "b"]


def test_rows_of_scans_that_were_scored_otherwise_are_not_lost(detector: Path, store: Store, tmp_path: Path) -> None:
    for seed, name in enumerate("ab"):
        store(f"{name}.nii.gz", head(seed))
    assert program("detector", "scans", "--out", "out", cwd=tmp_path).returncode == 0
    before = files(tmp_path)
    done = program("detector", "scans/b.nii.gz", "--out", "out", "--volume-score", "mean", cwd=tmp_path)
    assert done.returncode == 2
    assert done.stderr == (
        "error: out/scores.csv: has scores of a by other detectors or another rule, which would be lost; expected "
        "another --out folder\n"
    )
    assert files(tmp_path) == before
    done = program("detector", "scans", "--out", "out", "--volume-score", "mean", cwd=tmp_path)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("text", ["volume;score\na;1\n", "", 'volume,score\n"a,1\n', "\xff"])
def test_a_table_that_was_changed_is_not_replaced(text: str, detector: Path, store: Store, tmp_path: Path) -> None:
    store("a.nii.gz", head(1))
    assert program("detector", "scans", "--out", "out", cwd=tmp_path).returncode == 0
    (tmp_path / "out" / "scores.csv").write_bytes(text.encode("latin-1"))
    before = files(tmp_path)
    done = program("detector", "scans", "--out", "out", cwd=tmp_path)
    assert done.returncode == 2
    assert done.stderr.startswith("error: out/scores.csv: is not as core.predict wrote it, and it would be replaced")
    assert files(tmp_path) == before


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


def test_object_storage_is_written_to_where_it_is_named(
    bucket: str, detector: Path, store: Store, healthy: SliceTable, tmp_path: Path
) -> None:
    """And no folder here is called `s3:`."""
    store("a.nii.gz", head(1))
    small = ["detector.base=2", "detector.depth=1", "training.epochs=1"]
    trained = ["--device", "cpu", *(word for setting in small for word in ("--set", setting))]
    calls = [
        ("core.predict", ["detector", "scans", "--device", "cpu", "--out"], "found"),
        ("core.predict", ["detector", "scans", "--device", "cpu", "--out"], "found"),
        ("core.mood", ["sample", "scans", f"{bucket}/answers", "detector", "--device"], None),
        ("core.probe", ["--train", str(healthy.path), "--per-family", "1", "--clean", "2", "--out"], "probe.arrow"),
        ("core.train", ["--train", str(healthy.path), *trained, "--out"], "trained"),
    ]
    for module, words, name in calls:
        done = inline.run(module, [*words, f"{bucket}/{name}" if name else "cpu"], cwd=tmp_path)
        assert done.returncode == 0, done.stderr
        assert not name or f"{bucket}/{name}" in done.stdout
    assert not list(tmp_path.glob("s3*"))
    found = ["a_anomaly.nii.gz", "prediction.json", "scores.csv", "slice_scores.csv"]
    assert names(place(f"{bucket}/found")) == found
    assert names(place(f"{bucket}/answers")) == ["a.nii.gz.txt"]
    assert {"probe.arrow", "trained"} <= set(names(place(bucket)))
    assert "model.safetensors" in names(place(f"{bucket}/trained"))
