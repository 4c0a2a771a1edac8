"""A tiny ablation for real, on Ray: killed, resumed, compared, and tested by core.train --best."""

import json
from base64 import b64decode
from dataclasses import replace
from html import escape
from io import BytesIO

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

from core.slices.table import SliceTable
from study.figures.arms import arms_info, draw_arms, draw_gaps
from study.folder import StudyFolder
from study.lock import Driver
from study.page.document import page
from study.page.html import plot
from study.records import read_study
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
"synthesis.mix.foreign.weight" = 1.0
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
    assert not list((folder / "search-tuned").glob("*/*epoch-*"))
    assert len(list((folder / "replicates").glob("*/epoch-00004"))) == 2 * 3

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
    everything = ["blob-foreign", "blob-grey", "ellipse-blur", "ellipse-swell", "foci-grey"]
    assert {name: arm["searched_by"] for name, arm in found["arms"].items()} == {"brush": [], "tuned": everything}
    assert found["objective"]["families"] == ["blob-grey", "ellipse-blur", "ellipse-swell", "foci-grey"]
    trainings = pq.read_table(folder / "trials.parquet").to_pylist()
    assert {name: [one["value"] for one in trainings if one["arm"] == name] for name in values} == values
    assert [one["seed"] for one in trainings if one["arm"] == "tuned"] == found["seeds"]
    assert all(arm["cost"]["parameters"] > 100 and arm["cost"]["core_seconds"] > 0 for arm in found["arms"].values())


def test_every_arm_is_tested_once_without_training_again(place: Place) -> None:
    done = place.run(place.command("core.train", "--best", "tiny"))
    assert done.returncode == 0, done.stdout + done.stderr
    assert "6 trainings taken over from the study's replicates" in done.stdout
    result = json.loads((place.root / "runs" / "tiny" / "retrained" / "evaluation.json").read_text())
    best = json.loads((place.root / "runs" / "tiny" / "best.json").read_text())
    (other,) = best["controls"]
    assert {best["verdict"]["arm"], other} == {"brush", "tuned"}
    assert [entry["name"] for entry in result["entries"] if entry["kind"] == "detector"] == ["winner", other]
    assert result["differences"][other]["subjects"] > 0
    again = place.run([word if word != "study.search" else "study.ablation" for word in place.search()])
    assert again.returncode == 0, again.stderr
    assert "replicates: kept 6, resumed 0, failed before 0, to ask 0" in again.stdout


def test_its_report_says_which_arm_and_how_sure(place: Place) -> None:
    folder = StudyFolder(place.root / "runs" / "tiny")
    record = read_study(folder)
    text = page(record)
    found = json.loads(folder.ablation.read_text())
    assert record.best is not None
    winner = record.best["verdict"]["arm"]
    for words in (
        "Ablation tiny", found["verdict"], "Paired differences",
        "not told apart" if found["detectable"][1] else "apart",
        "tuned search their own settings, with the same number of trials", "python -m study.ablation",
        "Does it find lesions", "No subject is in two roles", "Convergence", "The same slices through every arm",
        "What each arm's own search found", "tuned: 2 trials",
        "but with 3 seeds is never below 0.25",
        *(f"{arm}{', the winner' * (arm == winner)} on the same slices, row by row" for arm in ("brush", "tuned")),
        "the best objective of a score that needs no training", "The dashed line needs no training.",
    ):  # fmt: skip
        assert escape(words) in text, words
    assert "cannot be read by this version" not in text
    saved = text.split('href="data:application/vnd.apache.parquet;base64,')[-1].split('"')[0]
    assert sorted(pd.read_parquet(BytesIO(b64decode(saved)))["arm"]) == ["brush"] * 3 + ["tuned"] * 3
    folder.ablation.rename(folder.root / "aside")
    assert "Not decided yet: 6 trainings of 6 begun ended." in page(read_study(folder))
    running = replace(read_study(folder), driver=Driver("process 1 here", True))
    assert "Still running: 8 of 8 trainings begun have ended. This page is a snapshot of " in page(running)
    (folder.root / "aside").rename(folder.ablation)


def test_hostile_names_stay_text() -> None:
    interval = {"estimate": 0.3, "low": 0.2, "high": 0.4}
    cost = {"parameters": 1, "core_seconds": 1.0, "gpu_seconds": 0.0, "slices_per_second": 1.0}
    arms = {name: {"values": [0.3, 0.3, 0.3], "interval": interval, "cost": cost} for name in ("<script>", "b")}
    pair = {"first": "<script>", "second": "b", "difference": interval, "apart": False}
    info = arms_info({"arms": arms, "pairs": [pair], "seeds": [1, 2, 3]})
    drawn = plot(draw_arms(info, "objective", ("<script>", 0.25)), name="arms", alt="a")
    drawn += plot(draw_gaps(info, "objective"), name="gaps", alt="b")
    assert "<script>" not in drawn.replace('<script type="application/json">', "")
