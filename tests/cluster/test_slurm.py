"""cluster/slurm.sh with stand-ins for Slurm's programs: when time is over, the study stops and is queued again.

In a process namespace of its own, since `ray symmetric-run` stops every Ray that it sees.
"""

import os
import signal
import subprocess
from pathlib import Path

import pytest

from core.slices.table import SliceTable
from tests.programs import SPACE, Place, descendants, wait_for

ROOT = Path(__file__).parents[2]
ALONE = ["unshare", "--pid", "--fork", "--mount-proc", "--kill-child"]
SRUN = '#!/bin/bash\nwhile [[ $1 == --* ]]; do shift; done\nexec "$@"\n'
SCONTROL = '#!/bin/bash\necho "$@" >"$HOME/scontrol"\n'


@pytest.fixture
def place(tmp_path: Path, healthy: SliceTable, lesioned: SliceTable) -> Place:
    if subprocess.run([*ALONE, "true"], capture_output=True, check=False).returncode != 0:
        pytest.skip("this user may not make a process namespace")
    if not (ROOT / ".venv" / "bin" / "ray").exists():
        pytest.skip("the script uses the project's own .venv")
    made = Place(tmp_path, healthy, lesioned, SPACE.replace('"training.epochs" = 2', '"training.epochs" = 500'))
    programs = tmp_path / "programs"
    programs.mkdir()
    for name, text in (("srun", SRUN), ("scontrol", SCONTROL)):
        (programs / name).write_text(text)
        (programs / name).chmod(0o755)
    made.environment |= {
        "PATH": f"{programs}:{os.environ['PATH']}", "SLURM_SUBMIT_DIR": str(ROOT), "SLURM_JOB_ID": f"{os.getpid()}",
        "SLURM_JOB_NUM_NODES": "1", "SLURM_CPUS_PER_TASK": "2", "HEAD_IP": "127.0.0.1", "RAY_PORT": "26380",
    }  # fmt: skip
    return made


def test_when_the_time_is_over_the_study_stops_and_the_job_is_queued_again(place: Place) -> None:
    options = ("--space", str(place.root / "tiny.toml"), "--train", str(place.healthy.path), "--runs", str(place.root))
    job = place.begin([*ALONE, "bash", str(ROOT / "cluster" / "slurm.sh"), *options])
    wait_for('"epoch 2"', place.root / "tiny" / "journal.log")
    script = next(pid for pid, command in descendants(job.pid).items() if command.startswith(b"bash\0"))
    os.kill(script, signal.SIGUSR1)
    said, _ = job.communicate(timeout=300)
    assert "SIGTERM: stopping; finished trials are kept" in said
    assert "stopped; the same command goes on from here" in said
    assert "the time is over; queued again" in said
    assert (place.root / "home" / "scontrol").read_text() == f"requeue {os.getpid()}\n"
    assert job.returncode == 130
    assert (place.root / "home" / ".ray" / "auth_token").stat().st_mode & 0o077 == 0
