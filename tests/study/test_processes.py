"""A process whose folder is thrown away, as that of a job which is stopped."""

import os
import threading
from pathlib import Path

import pytest

from study.processes import outliving_its_folder


@pytest.mark.parametrize("stopped", [False, True])
@pytest.mark.parametrize("gone", [False, True])
def test_a_stopped_process_needs_its_folder_no_more(
    stopped: bool, gone: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    job, event = tmp_path / "job", threading.Event()
    job.mkdir()
    monkeypatch.chdir(job)
    if gone:
        job.rmdir()
    if stopped:
        event.set()

    def summed_up() -> None:
        with outliving_its_folder(event):
            os.path.relpath("/shared/runs")
            (tmp_path / "never written").read_text()

    if stopped and gone:
        summed_up()
    else:
        with pytest.raises(FileNotFoundError):
            summed_up()
