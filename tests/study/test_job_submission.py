"""`ray start --head` and `ray job submit`, for real: the way that clusters run a study."""

import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from ray._private.runtime_env.packaging import get_excludes_from_ignore_files

from core.slices.table import SliceTable
from tests.programs import ROOT, Head, finished_trials, wait_for

TINY = """
[study]
trials = 1
reduction = 1
top = 1
[fixed]
"detector.base" = 2
"detector.depth" = 2
"training.epochs" = 1
[space]
"loss.alpha" = { low = 0.0, high = 1.0 }
"""


@pytest.fixture(scope="module")
def head(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Head]:
    started = Head(tmp_path_factory.mktemp("home"))
    yield started
    started.stop()


def _study(space: Path, healthy: SliceTable) -> list[str]:
    return [sys.executable, "-m", "study.search", "--space", str(space), "--train", str(healthy.path)]


def test_a_study_runs_as_a_job_and_outlives_it(head: Head, healthy: SliceTable, tmp_path: Path) -> None:
    """The job's own folder is thrown away, so that what it made lies in the home folder."""
    space = tmp_path / "tiny.toml"
    space.write_text(TINY)
    assert "succeeded" in head.job("submit", "--working-dir", ".", "--", *_study(space, healthy))
    best = json.loads((Path(head.environment["HOME"]) / "runs" / "tiny" / "best.json").read_text())
    assert best["verdict"]["winner"] == 0


def test_a_stopped_job_goes_on_when_it_is_submitted_again(head: Head, healthy: SliceTable, tmp_path: Path) -> None:
    space = tmp_path / "longer.toml"
    space.write_text(
        TINY.replace("trials = 1", "trials = 3").replace('"training.epochs" = 1', '"training.epochs" = 12')
    )
    journal = Path(head.environment["HOME"]) / "runs" / "longer" / "journal.log"
    command = ["--working-dir", ".", "--", *_study(space, healthy)]
    head.job("submit", "--no-wait", "--submission-id", "first", *command)
    wait_for('"state":1', journal)
    assert "was stopped" in head.job("stop", "first")
    before = finished_trials(journal)
    assert before
    said = head.job("submit", *command)
    assert "kept" in said
    assert "resumed" in said
    after = finished_trials(journal)
    assert before.items() <= after.items()
    assert sum(study == "search" for study, _ in after) == 3


def test_what_is_uploaded_is_small() -> None:
    """What the ignore files leave of a checkout is source: no environment, no data, no runs."""
    ignored = get_excludes_from_ignore_files(ROOT, include_gitignore=True)
    sent = []
    for place, folders, names in os.walk(ROOT):
        folder = Path(place)
        folders[:] = [name for name in folders if name != ".git" and not any(skip(folder / name) for skip in ignored)]
        sent += [folder / name for name in names if not any(skip(folder / name) for skip in ignored)]
    assert ROOT / "study" / "search.py" in sent
    assert not [path for path in sent if ".venv" in path.parts or "runs" in path.parts]
    assert sum(path.stat().st_size for path in sent) < 5_000_000
