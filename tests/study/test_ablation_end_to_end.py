"""A tiny ablation for real, on Ray: killed, resumed, compared, and tested by core.train --best."""

import json

import numpy as np
import pytest

from core.slices.table import SliceTable
from tests.programs import Place, finished_trials, kill, wait_for

ARMS = """
[study]
seeds = 3
trials = 2
[fixed]
"detector.base" = 2
"detector.depth" = 2
"training.epochs" = 4
"training.batch" = 8
"training.learning_rate" = 1e-2
[arms.brush]
"synthesis.mask.kind" = "brush"
[arms.tuned]
"synthesis.mask.kind" = "circle"
[arms.tuned.space]
"loss.alpha" = { low = 0.0, high = 1.0 }
"""


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory, healthy: SliceTable, lesioned: SliceTable) -> Place:
    return Place(tmp_path_factory.mktemp("ablation"), healthy, lesioned, ARMS)


def test_it_goes_on_after_a_kill_and_compares_every_arm(place: Place) -> None:
    folder = place.root / "runs" / "tiny"
    command = [word if word != "study.search" else "study.ablation" for word in place.search()]
    first = place.begin(command)
    wait_for('"state":1', folder / "journal.log", times=3)  # two of the search of `tuned`, and one more
    kill(first)
    before = finished_trials(folder / "journal.log")
    done = place.run(command)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "search-tuned: kept 2, resumed 0" in done.stdout
    after = finished_trials(folder / "journal.log")
    assert before.items() <= after.items()
    assert len(after) == 2 + 2 * 3

    found = json.loads((folder / "ablation.json").read_text())
    assert set(found["arms"]) == {"brush", "tuned"}
    assert found["verdict"] in done.stdout.replace("\n", " ")
    values = {name: arm["values"] for name, arm in found["arms"].items()}
    recorded = {trial[1] for (phase, _), trial in after.items() if phase == "replicates"}
    assert {value for arm in values.values() for value in arm} == recorded
    (pair,) = found["pairs"]
    difference = np.mean(values[pair["first"]]) - np.mean(values[pair["second"]])
    assert pair["difference"]["estimate"] == pytest.approx(difference)
    searched = {trial[1] for (phase, _), trial in after.items() if phase == "search-tuned"}
    assert len(searched) == 2
    assert all(arm["cost"]["parameters"] > 100 and arm["cost"]["core_seconds"] > 0 for arm in found["arms"].values())


def test_every_arm_is_tested_once_without_training_again(place: Place) -> None:
    done = place.run(place.command("core.train", "--best", "tiny"))
    assert done.returncode == 0, done.stdout + done.stderr
    assert "6 trainings taken over from the study's replicates" in done.stdout
    result = json.loads((place.root / "runs" / "tiny" / "retrained" / "evaluation.json").read_text())
    best = json.loads((place.root / "runs" / "tiny" / "best.json").read_text())
    (other,) = best["controls"]
    assert {best["verdict"]["arm"], other} == {"brush", "tuned"}
    assert [entry["name"] for entry in result["entries"]][:2] == ["winner", other]
    assert result["differences"][other]["subjects"] > 0
    again = place.run([word if word != "study.search" else "study.ablation" for word in place.search()])
    assert again.returncode == 0, again.stderr
    assert "replicates: kept 6, resumed 0, failed before 0, to ask 0" in again.stdout
