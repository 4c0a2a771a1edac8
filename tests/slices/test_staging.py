"""An interrupted ingest goes on where it was, and reads no more at once than memory allows."""

import os
import signal
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path

import pytest

from core.errors import BadInput
from core.slices import ingesting
from core.slices.folder import FolderSource
from core.slices.ingesting import IngestReport, ingest
from core.slices.nifti import Volume, claimed_size, read_volume
from core.slices.staging import Stage
from core.slices.table import open_table
from tests.slices.trees import SMALL, make_folder, write

KILLED = """
import os, signal, sys
from pathlib import Path
from core.slices.folder import FolderSource
from core.slices.ingesting import ingest
from tests.slices.trees import SMALL

def told(done, total, name):
    if done == 4:
        os.kill(os.getpid(), signal.SIGKILL)

ingest(FolderSource(Path(sys.argv[1]), "d"), Path(sys.argv[2]), SMALL, workers=1, progress=told)
"""


def make(root: Path, count: int = 9) -> FolderSource:
    for n in range(count):
        write(root / "images" / f"v{n}.nii.gz", n)
    return FolderSource(root, "d")


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of the images that are read."""
    found: list[str] = []

    def noted(path: Path) -> Volume:
        found.append(path.name.removesuffix(".nii.gz"))
        return read_volume(path)

    monkeypatch.setattr(ingesting, "read_volume", noted)
    return found


def interrupt(source: FolderSource, out: Path, after: int, settings: object = SMALL) -> None:
    def told(done: int, total: int, name: str) -> None:
        if done == after:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        ingest(source, out, settings, workers=1, progress=told)


def test_kill_9(tmp_path: Path, read: list[str]) -> None:
    source = make(tmp_path / "d")
    (tmp_path / "d" / "images" / "v2.nii.gz").write_text("no NIfTI")
    whole = ingest(source, tmp_path / "whole.arrow", SMALL)
    out = tmp_path / "out" / "t.arrow"
    command = [sys.executable, "-c", KILLED, str(tmp_path / "d"), str(out)]
    ended = subprocess.run(command, cwd=Path(__file__).parents[2], capture_output=True, text=True)
    assert ended.returncode == -signal.SIGKILL, ended.stderr
    assert names(tmp_path / "out") == [".t.arrow.stage"]

    read.clear()
    again = ingest(source, out, SMALL)
    # Three of the first four can be used; the worker may have been one or two volumes ahead.
    assert 3 <= again.resumed <= 5
    assert sorted(read) == ["v2", *(f"v{n}" for n in range(again.resumed + 1, 9))]
    assert out.read_bytes() == (tmp_path / "whole.arrow").read_bytes()
    assert (again.used, again.skipped) == (8, whole.skipped)
    assert names(tmp_path / "out") == ["t.arrow"]


def test_only_what_is_still_true_counts(tmp_path: Path, read: list[str]) -> None:
    source, out = make(tmp_path / "d"), tmp_path / "out" / "t.arrow"
    interrupt(source, out, 6)
    stage = tmp_path / "out" / ".t.arrow.stage"
    kept = len(list(stage.glob("*.arrow")))
    assert kept >= 6
    (stage / ".half.tmp").write_bytes(b"half-written")
    (tmp_path / "out" / f".t.arrow.{'0' * 32}.tmp").write_bytes(b"of the whole table, half-written")
    others = tmp_path / "out" / f".t.arrow.x.{'0' * 32}.tmp"
    others.write_bytes(b"of a table that another ingest may be writing")
    damaged = min(stage.glob("*.arrow"))
    damaged.write_bytes(damaged.read_bytes()[:-100])
    image = tmp_path / "d" / "images" / "v0.nii.gz"
    os.utime(image, ns=(1, 1))
    read.clear()
    report = ingest(source, out, SMALL)
    assert "v0" in read
    assert len(read) - (9 - kept) in (1, 2)  # v0 and the damaged one, which may be the same
    assert report.resumed == 9 - len(read)
    others.unlink()
    assert names(tmp_path / "out") == ["t.arrow"]

    interrupt(source, out, 6)
    read.clear()
    other = ingest(source, tmp_path / "out" / "t.arrow", replace(SMALL, slices=5))
    assert (other.resumed, len(read)) == (0, 9)
    assert names(tmp_path / "out") == ["t.arrow"]


def test_an_interruption_keeps_the_older_table(tmp_path: Path) -> None:
    source, out = make(tmp_path / "d", 3), tmp_path / "t.arrow"
    out.write_text("older")
    interrupt(source, out, 2)
    assert out.read_text() == "older"
    assert ingest(source, out, SMALL).resumed >= 2


def test_one_ingest_at_a_time(tmp_path: Path) -> None:
    source, out = make(tmp_path / "d", 2), tmp_path / "t.arrow"
    with Stage(out), pytest.raises(BadInput, match=r"t\.arrow: another ingest is writing this table"):
        ingest(source, out, SMALL)
    assert names(tmp_path) == ["d"]
    assert ingest(source, out, SMALL).used == 2


def test_masks_count_too(tmp_path: Path) -> None:
    make_folder(tmp_path / "d")
    source, out = FolderSource(tmp_path / "d", "d"), tmp_path / "t.arrow"
    interrupt(source, out, 4)
    write(tmp_path / "d" / "masks" / "s3.nii.gz", 3, mask=True, empty=True)
    report: IngestReport = ingest(source, out, SMALL)
    assert report.resumed == 3
    assert report.table.normal[report.table.volume == "s3"].all()


def test_into_object_storage(bucket: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    made = ingest(make(tmp_path / "d", 3), Path(f"{bucket}/slices/t.arrow"), SMALL).table
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "machine-2"))
    assert open_table(Path(f"{bucket}/slices/t.arrow"), verify=True).digest == made.digest
    assert names(tmp_path) == ["d", "machine-1", "machine-2"]


@pytest.mark.parametrize(("room", "most"), [(0, 1), (2.5, 2)])
def test_memory_bounds_what_is_read_at_once(
    room: float, most: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A volume that needs more than there is goes alone."""
    source = make(tmp_path / "d")
    size = claimed_size(tmp_path / "d" / "images" / "v0.nii.gz")
    assert size == 12 * 14 * 10 * 4
    lock, inside, seen = threading.Lock(), set(), []

    def slow(path: Path) -> Volume:
        with lock:
            inside.add(path)
            seen.append(len(inside))
        time.sleep(0.02)
        volume = read_volume(path)
        with lock:
            inside.remove(path)
        return volume

    monkeypatch.setattr(ingesting, "read_volume", slow)
    memory = int(room * size * ingesting._NEEDED)
    assert ingest(source, tmp_path / "t.arrow", SMALL, workers=6, memory=memory).used == 9
    assert max(seen) == most
