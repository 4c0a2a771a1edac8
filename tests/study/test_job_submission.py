"""`ray start --head` and `ray job submit`, for real: the way that clusters run a study."""

import json
import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from ray._private.runtime_env.packaging import get_excludes_from_ignore_files

from core.slices.table import SliceTable
from tests.programs import finished_trials, wait_for

ROOT = Path(__file__).parents[2]
RAY = Path(sys.executable).with_name("ray")
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


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture(scope="module")
def head(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """A head node on loopback with a token, in a home of its own; yields the environment that reaches it."""
    home = tmp_path_factory.mktemp("home")
    environment = {
        **os.environ,
        "HOME": str(home),
        "RAY_AUTH_MODE": "token",
        "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",
        "RAY_USAGE_STATS_ENABLED": "0",
    }
    environment.pop("RAY_ADDRESS", None)
    subprocess.run([RAY, "get-auth-token", "--generate"], env=environment, check=True, capture_output=True, timeout=60)
    port, dashboard = _free_port(), _free_port()
    # A short path of its own: Ray's sockets do not fit into pytest's.
    sessions = Path("/tmp") / f"ray-{os.getpid()}"
    started = subprocess.Popen(
        [
            RAY, "start", "--head", "--block", f"--port={port}", f"--dashboard-port={dashboard}",
            "--num-cpus=2", "--node-ip-address=127.0.0.1", f"--temp-dir={sessions}",
        ],
        env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
    )  # fmt: skip
    try:
        yield environment | {"RAY_API_SERVER_ADDRESS": f"http://127.0.0.1:{dashboard}"}
    finally:
        started.terminate()
        started.wait(timeout=60)
        shutil.rmtree(sessions, ignore_errors=True)


def _job(head: dict[str, str], *words: str) -> str:
    """Submit to the head, waiting until it takes jobs: the dashboard is up some seconds later."""
    for _ in range(40):
        done = subprocess.run(
            [RAY, "job", *words], cwd=ROOT, env=head, capture_output=True, text=True, timeout=300, check=False
        )
        said = done.stdout + done.stderr
        if "Failed to connect" not in said and "No such file" not in said:
            break
    assert done.returncode == 0, said
    return said


def _study(space: Path, healthy: SliceTable) -> list[str]:
    return [sys.executable, "-m", "study.search", "--space", str(space), "--train", str(healthy.path)]


def test_a_study_runs_as_a_job_and_outlives_it(head: dict[str, str], healthy: SliceTable, tmp_path: Path) -> None:
    """The job's own folder is thrown away, so that what it made lies in the home folder."""
    space = tmp_path / "tiny.toml"
    space.write_text(TINY)
    assert "succeeded" in _job(head, "submit", "--working-dir", ".", "--", *_study(space, healthy))
    best = json.loads((Path(head["HOME"]) / "runs" / "tiny" / "best.json").read_text())
    assert best["verdict"]["winner"] == 0


def test_a_stopped_job_goes_on_when_it_is_submitted_again(
    head: dict[str, str], healthy: SliceTable, tmp_path: Path
) -> None:
    space = tmp_path / "longer.toml"
    space.write_text(
        TINY.replace("trials = 1", "trials = 3").replace('"training.epochs" = 1', '"training.epochs" = 12')
    )
    journal = Path(head["HOME"]) / "runs" / "longer" / "journal.log"
    command = ["--working-dir", ".", "--", *_study(space, healthy)]
    _job(head, "submit", "--no-wait", "--submission-id", "first", *command)
    wait_for('"state":1', journal)
    assert "was stopped" in _job(head, "stop", "first")
    before = finished_trials(journal)
    assert before
    said = _job(head, "submit", *command)
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
