"""What a person sees of bad volumes: no volumes at all, the program's lists and its one sentence."""

import os
import subprocess
import sys
from collections.abc import Callable
from io import StringIO
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from core.errors import BadInput
from core.slices import open_table
from core.slices.folder import FolderSource
from core.slices.ingesting import ingest
from core.slices.progress import shown
from tests.faults.volumes import SMALL, good, names, save, voxels
from tests.slices.trees import make_bids, make_brats, make_hcp, make_manifest, make_mood


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (lambda root: None, "no such folder"),
        (lambda root: root.mkdir(), "holds no .nii or .nii.gz file"),
        (lambda root: (root / "images").mkdir(parents=True), "holds no .nii or .nii.gz file"),
        (lambda root: root.write_text("a file"), "no such folder"),
    ],
)
def test_no_volumes(make: Callable[[Path], object], sentence: str, tmp_path: Path) -> None:
    make(tmp_path / "d")
    with pytest.raises(BadInput, match=sentence):
        ingest(FolderSource(tmp_path / "d"), tmp_path / "out" / "t.arrow", SMALL)
    assert not (tmp_path / "out").exists() or not names(tmp_path / "out")


def program(*words: object, cwd: Path) -> subprocess.CompletedProcess[str]:
    here = Path(__file__).parents[2]
    command = [sys.executable, "-m", "core.ingest", *map(str, words)]
    return subprocess.run(command, cwd=cwd, env={**os.environ, "PYTHONPATH": str(here)}, capture_output=True, text=True)


def test_program_skips_and_lists(tmp_path: Path) -> None:
    good(tmp_path / "d")
    (tmp_path / "d" / "images" / "bad.nii.gz").write_text("no NIfTI")
    ended = program("folder", "d", "--out", "out/t.arrow", "--slices", 6, "--side", 16, cwd=tmp_path)
    assert ended.returncode == 0, ended.stderr
    assert "4 found, 3 used, 1 skipped" in ended.stdout
    assert "skipped   bad: bad.nii.gz: is not gzip-compressed" in ended.stdout
    assert open_table(tmp_path / "out" / "t.arrow").digest in ended.stdout
    assert names(tmp_path / "out") == ["t.arrow"]


def test_air_around_heads_is_told(tmp_path: Path) -> None:
    """Values above 0 all over the frame are no tissue, and Otsu's threshold tells so. One such volume is enough."""
    good(tmp_path / "d")
    for path in (tmp_path / "d" / "images").iterdir():
        save(path, np.pad(voxels(), ((4, 4), (4, 4), (0, 0))) + (path.name == "good1.nii.gz"))
    words = ("folder", "d", "--out", "t.arrow", "--slices", 6, "--side", 16)
    ended = program(*words, cwd=tmp_path)
    told = "1 of 3 volumes, such as good1: 100% of the frame's edge counts as tissue, as air around a head does; "
    assert f"{told}--foreground otsu" in ended.stdout
    ended = program(*words, "--foreground", "otsu", cwd=tmp_path)
    assert ended.returncode == 0, ended.stderr
    assert "frame's edge" not in ended.stdout


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("folder", "images"), "none of 1 volumes can be used; the first, bad: bad.nii.gz: is not gzip-compressed"),
        (("brats", "images", "--subjects", "x"), "holds no patient folder"),
    ],
)
def test_program_ends_with_one_sentence(words: tuple[str, ...], sentence: str, tmp_path: Path) -> None:
    (tmp_path / "images").mkdir()
    (tmp_path / "images" / "bad.nii.gz").write_text("no NIfTI")
    ended = program(*words, "--out", "out/t.arrow", cwd=tmp_path)
    assert ended.returncode == 2
    assert ended.stderr.startswith("error: ")
    assert sentence in ended.stderr
    assert "Traceback" not in ended.stderr
    assert ended.stderr.count("\n") == 1
    assert not (tmp_path / "out" / "t.arrow").exists()


def test_names_that_would_spoil_a_list(tmp_path: Path) -> None:
    """Line breaks, terminal codes and bytes that are no text are shown escaped; markup is only text."""
    good(tmp_path / "d")
    for name in (b"a\nb", b"\x1b[31mred", b"\xff", b"<b>&[red]"):
        path = tmp_path / "d" / "images" / os.fsdecode(name + b".nii.gz")
        save(path.with_name("x.nii.gz"), voxels(9))
        path.with_name("x.nii.gz").rename(path)
    ended = program("folder", "d", "--out", "t.arrow", "--slices", 6, "--side", 16, cwd=tmp_path)
    assert ended.returncode == 0, ended.stderr
    assert ended.stderr == ""
    reason = "its name holds a character that cannot be printed"
    assert [line for line in ended.stdout.splitlines() if "skipped " in line] == [
        f"  skipped   {name}: {reason}" for name in (r"\x1b[31mred", r"a\nb", r"\udcff")
    ]
    assert "d/<b>&[red]" in open_table(tmp_path / "t.arrow").subjects


def test_names_are_shown_as_they_are(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also those that rich would take for a picture, and on a terminal that cannot show them."""
    good(tmp_path / "d")
    monkeypatch.setenv("PYTHONIOENCODING", "ascii")
    ended = program("folder", "d", "--out", "a:x:é.arrow", "--slices", 6, "--side", 16, cwd=tmp_path)
    assert ended.returncode == 0, ended.stderr
    assert r"a:x:\xe9.arrow" in ended.stdout


def test_a_bar_shows_names_as_they_are() -> None:
    said = StringIO()
    with shown(Console(file=said, force_terminal=True, width=100), "volumes") as progress:
        progress(1, 2, "scan[t2]")
        progress(2, 2, "a[/b]")
    assert "a[/b]" in said.getvalue()


def test_a_place_whose_name_is_no_text(tmp_path: Path) -> None:
    """Arrow cannot write there, since it takes names for UTF-8."""
    good(tmp_path / "d")
    place = os.fsdecode(b"M\xfcller/t.arrow")
    ended = program("folder", "d", "--out", place, "--slices", 6, "--side", 16, cwd=tmp_path)
    assert ended.returncode == 2
    assert ended.stderr.startswith(r"error: 'M\udcfcller/.t.arrow.")
    assert ended.stderr.endswith("': holds bytes that are no text in UTF-8, expected another name\n")


def test_program_says_what_was_read_before(tmp_path: Path) -> None:
    def told(done: int, total: int, name: str) -> None:
        raise KeyboardInterrupt

    good(tmp_path / "d")
    with pytest.raises(KeyboardInterrupt):
        ingest(FolderSource(tmp_path / "d", "d"), tmp_path / "t.arrow", SMALL, workers=1, progress=told)
    ended = program("folder", "d", "--out", "t.arrow", "--slices", 6, "--side", 16, cwd=tmp_path)
    assert ended.returncode == 0, ended.stderr
    assert " of the volumes had been read before an interruption" in ended.stdout
    assert names(tmp_path) == ["d", "t.arrow"]


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("hcp", "d", "--subjects", "100307,101107"), "2 found, 2 used, 0 skipped"),
        (("brats", "d", "--modality", "t1"), None),
        (("mood", "d"), "4 found, 4 used, 0 skipped"),
        (("bids", "d", "--group", "patient", "--masks", "lesions"), "3 found, 3 used, 0 skipped"),
        (("bids", "d", "--group", "sex=F"), "3 found, 2 used, 1 skipped"),
        (("manifest", "d/volumes.csv", "--group", "patient"), "2 found, 2 used, 0 skipped"),
    ],
)
def test_program_takes_every_source(words: tuple[str, ...], told: str | None, tmp_path: Path) -> None:
    makers = {"hcp": make_hcp, "brats": make_brats, "mood": make_mood, "bids": make_bids, "manifest": make_manifest}
    makers[words[0]](tmp_path / "d")
    ended = program(*words, "--slices", 6, "--side", 16, cwd=tmp_path)
    if told is None:
        assert ended.returncode == 2
        assert "error: none of 3 volumes can be used; the first, BraTS20_Training_001_t1: has no " in ended.stderr
        return
    assert ended.returncode == 0, ended.stderr
    assert f"  volumes   {told}" in ended.stdout
    (table,) = (tmp_path / "runs" / "slices").glob("*.arrow")
    preprocessing = open_table(table).metadata.preprocessing
    assert preprocessing["equalise"] == ("none" if words[0] == "mood" else "volume")
    assert preprocessing["foreground"] == ("otsu" if words[0] == "bids" else "positive")
