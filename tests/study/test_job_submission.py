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
trials = 3
reduction = 1
top = 1
[fixed]
"detector.base" = 2
"detector.depth" = 2
"training.epochs" = 12
[space]
"loss.alpha" = { low = 0.0, high = 1.0 }
"""


@pytest.fixture(scope="module")
def head(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Head]:
    started = Head(tmp_path_factory.mktemp("home"), RAY_JOB_STOP_WAIT_TIME_S="60")  # as cluster/onprem.sh has it
    yield started
    started.stop()


def test_a_study_is_stopped_and_goes_on_as_another_job_and_outlives_both(
    head: Head, healthy: SliceTable, small_probe: SliceTable, tmp_path: Path
) -> None:
    """A job's own folder is thrown away, so that what it made lies in the home folder."""
    space = tmp_path / "tiny.toml"
    space.write_text(TINY)
    study = Path(head.environment["HOME"]) / "runs" / "tiny"
    journal = study / "journal.log"
    command = ["--working-dir", ".", "--", sys.executable, "-m", "study.search", "--space", str(space)]
    command += ["--train", str(healthy.path), "--probe", str(small_probe.path), "--concurrent", "1"]
    head.job("submit", "--no-wait", "--submission-id", "first", *command)
    wait_for('"state":1', journal)
    assert "was stopped" in head.job("stop", "first")
    before = finished_trials(journal)
    assert before
    assert head.job("logs", "first").rstrip().endswith("stopped; the same command goes on from here")
    said = head.job("submit", *command)
    assert "kept" in said
    assert "resumed" in said
    assert "succeeded" in said
    after = finished_trials(journal)
    assert before.items() <= after.items()
    assert sum(phase == "search" for phase, _ in after) == 3
    best = json.loads((study / "best.json").read_text())
    assert best["verdict"]["winner"] in range(3)


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
