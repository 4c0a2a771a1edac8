"""A tiny study for real, on Ray: search, interruption, resumption, replicates, retraining."""

import json
import os
import signal
import struct
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from optuna.trial import TrialState
from tensorboardX.proto.event_pb2 import Event

from core.slices.table import SliceTable
from tests.programs import LOOPBACK, SPACE, Place, finished_trials, listening, wait_for

os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"
from mlflow import MlflowClient


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory, healthy: SliceTable, lesioned: SliceTable) -> Place:
    return Place(tmp_path_factory.mktemp("study"), healthy, lesioned)


def test_an_interrupted_study_goes_on_to_a_verdict(place: Place) -> None:
    begun = place.begin(place.search("--set", "fixed.training.epochs=6"))
    wait_for("epoch 2", place.root / "runs" / "tiny" / "journal.log")
    assert listening(begun.pid)
    assert listening(begun.pid) <= LOOPBACK
    begun.send_signal(signal.SIGTERM)
    said, _ = begun.communicate(timeout=300)
    assert begun.returncode == 130, said
    assert "the same command goes on" in said
    assert "Traceback" not in said

    ended = place.run(place.search("--set", "fixed.training.epochs=6"))
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert "resumed" in ended.stdout
    assert "goes on" in ended.stdout


def test_best_and_trials_tell_what_happened(place: Place) -> None:
    folder = place.root / "runs" / "tiny"
    trials = pq.read_table(folder / "trials.parquet").to_pylist()
    assert [trial["number"] for trial in trials] == [0, 1, 2]
    assert {trial["state"] for trial in trials} <= {"COMPLETE", "PRUNED"}
    assert all(len(trial["curve"]) == trial["epochs"] for trial in trials)
    best = json.loads((folder / "best.json").read_text())
    assert best["verdict"]["winner"] in {replicated["trial"] for replicated in best["replicates"]}
    full = {trial["number"] for trial in trials if trial["state"] == "COMPLETE"}
    assert full & {replicated["trial"] for replicated in best["replicates"]}
    replicated = {one["trial"]: len(one["values"]) for one in best["replicates"]}
    assert 0 in replicated  # the preset's own choice
    assert set(replicated.values()) == {3}
    roles = [set(best["subjects"][role]) for role in ("train", "probe", "test")]
    assert not (roles[0] & roles[1])
    assert not (roles[0] & roles[2])
    assert not (roles[1] & roles[2])


def test_checkpoints_stay_of_replicates_alone(place: Place) -> None:
    """Two for each of thousands of trials would fill the storage; retraining goes on from the replicates'."""
    folder = place.root / "runs" / "tiny"
    assert list((folder / "search").glob("*/sample_maps.npz"))
    assert not list((folder / "search").glob("*/*epoch-*"))
    assert all(list(one.glob("epoch-*")) for one in (folder / "replicates").iterdir())


def test_a_finished_study_is_kept_as_it_is(place: Place) -> None:
    best = place.root / "runs" / "tiny" / "best.json"
    before, at = best.read_text(), best.stat().st_mtime_ns
    again = place.run(place.search("--set", "fixed.training.epochs=6"))
    assert again.returncode == 0
    assert "kept 3, resumed 0" in again.stdout
    assert (best.read_text(), best.stat().st_mtime_ns) == (before, at)
    (place.root / "two words").symlink_to("runs")
    told = place.run(place.search("--set", "fixed.training.epochs=6", "--runs", "two words")).stdout
    assert told.endswith("next: python -m core.train --best 'two words/tiny'\n")


def test_other_settings_under_the_same_name_are_refused(place: Place) -> None:
    other = place.run(place.search())
    assert other.returncode == 2
    assert "begun with other settings" in other.stderr
    assert "Traceback" not in other.stderr


def test_the_winner_is_retrained_and_tested_once(place: Place) -> None:
    done = place.run(place.command("core.train", "--best", "tiny"))
    assert done.returncode == 0, done.stdout + done.stderr
    assert "3 trainings taken over from the study's replicates" in done.stdout
    assert done.stdout.count(" s in the study") == 3
    assert "winner, seed 1000: taken over, " in done.stdout
    assert "circle, seed 1000: trained, " in done.stdout
    assert ", without training" in done.stdout
    retrained = place.root / "runs" / "tiny" / "retrained"
    result = json.loads((retrained / "evaluation.json").read_text())
    assert result["taken_over"] == {"winner": 3, "circle": 0}
    assert [entry["name"] for entry in result["entries"]][:3] == ["winner", "winner, post-processed", "circle"]
    assert {entry["name"] for entry in result["entries"] if entry["kind"] == "floor"} == {
        "intensity",
        "smoothed intensity",
        "deviation",
        "smoothed deviation",
        "position",
        "tissue",
    }
    assert set(result["floor_objectives"]) == {entry["name"] for entry in result["entries"] if entry["kind"] == "floor"}
    winner = result["entries"][0]
    assert len(winner["figures"]) == len(winner["dice"]) == 3
    interval = winner["intervals"]["pixel.average_precision"]
    assert interval["low"] <= interval["estimate"] <= interval["high"]
    for name in ("model.safetensors", "config.json", "examples.npz"):
        assert (retrained / name).stat().st_size > 0
    again = place.run(place.command("core.train", "--best", "tiny"))
    assert "up to date" in again.stdout
    scored = place.run(place.command("core.evaluate"))
    assert scored.returncode == 0, scored.stderr
    assert "floor: intensity" in scored.stdout
    assert "the test of study tiny: one more look, which the study does not count" in scored.stdout


def test_a_finished_study_is_extended_and_says_that_it_was_tested_before(place: Place) -> None:
    folder = place.root / "runs" / "tiny"
    before = pq.read_table(folder / "trials.parquet").to_pylist()
    more = place.run(place.search("--set", "fixed.training.epochs=6", "--trials", "6"))
    assert more.returncode == 0, more.stdout + more.stderr
    assert "kept 3, resumed 0, failed before 0, to ask 3" in more.stdout
    after = pq.read_table(folder / "trials.parquet").to_pylist()
    assert len(after) == 6
    assert after[:3] == before
    evaluation = folder / "retrained" / "evaluation.json"
    best = json.loads((folder / "best.json").read_text())
    (folder / "best.json").write_text(json.dumps(best | {"seeds": best["seeds"][:2]}))
    done = place.run(place.command("core.train", "--best", "tiny"))
    assert "opening the test table again, 2 times now" in done.stdout
    assert json.loads(evaluation.read_text())["test"]["opened"] == 2


def test_a_fork_begins_with_the_best_of_another_study(place: Place) -> None:
    deeper = SPACE.replace('"detector.depth" = 2\n', "").replace(
        "[space]\n", '[space]\n"detector.depth" = { choices = [2, 6] }\n'
    )
    (place.root / "tiny.toml").write_text(deeper)
    refused = place.run(place.search("--trials", "4"))
    assert refused.returncode == 2
    assert "--fork NAME" in refused.stderr
    logs = ("--log", "tensorboard", "--log", "mlflow")
    done = place.run(place.search("--study", "tiny", "--fork", "branch", "--trials", "4", *logs))
    assert done.returncode == 0, done.stdout + done.stderr
    assert "are tried again first\nreplicates train under the seeds of its own; --set study.seed=N" in done.stdout
    old = pq.read_table(place.root / "runs" / "tiny" / "trials.parquet").to_pylist()
    new = pq.read_table(place.root / "runs" / "branch" / "trials.parquet").to_pylist()
    assert new[1]["loss.alpha"] in {trial["loss.alpha"] for trial in old}
    nothing = place.run(place.search("--study", "absent", "--fork", "other"))
    assert nothing.returncode == 2
    assert "'absent' was not found" in nothing.stderr


def test_a_configuration_that_fails_does_not_stop_the_study(place: Place) -> None:
    """Of the fork above, some trials chose a depth that slices of 32 x 32 do not have."""
    trials = pq.read_table(place.root / "runs" / "branch" / "trials.parquet").to_pylist()
    assert len(trials) == 4
    failed = [trial for trial in trials if trial["state"] == "FAIL"]
    assert failed
    assert all(trial["detector.depth"] == 6 and "cannot be halved" in trial["reason"] for trial in failed)
    assert (place.root / "runs" / "branch" / "best.json").exists()


def test_what_was_logged_is_what_was_recorded(place: Place) -> None:
    """The fork above logged every epoch for TensorBoard and for MLflow, into its folder."""
    folder = place.root / "runs" / "branch"
    recorded = finished_trials(folder / "journal.log")
    assert {phase for phase, _ in recorded} == {"search", "replicates"}
    for (phase, number), (_, _, curve) in recorded.items():
        (events,) = (folder / "tensorboard" / phase / f"{number:05d}").glob("events.out.tfevents.*")
        assert _scalars(events, "ray/tune/objective") == pytest.approx(curve)
    client = MlflowClient(f"sqlite:///{folder / 'mlflow.db'}")
    for phase in ("search", "replicates"):
        experiment = client.get_experiment_by_name(f"branch/{phase}")
        assert experiment is not None
        runs = client.search_runs([experiment.experiment_id])
        assert len(runs) == sum(study == phase for study, _ in recorded)
        for run in runs:
            state, _, curve = recorded[phase, int(run.data.tags["trial_name"])]
            points = client.get_metric_history(run.info.run_id, "objective")
            assert {point.step: point.value for point in points} == pytest.approx(curve)
            assert run.info.status == ("FAILED" if state == TrialState.FAIL else "FINISHED")
    assert not list(place.root.glob("mlruns*"))


def _scalars(events: Path, name: str) -> dict[int, float]:
    """A scalar by step. The file is a row of records: length, checksum, an Event, checksum."""
    data, place = events.read_bytes(), 0
    found: dict[int, float] = {}
    while place < len(data):
        (size,) = struct.unpack_from("<Q", data, place)
        event = Event.FromString(data[place + 12 : place + 12 + size])
        for value in event.summary.value:
            if value.tag == name:
                found[event.step] = value.simple_value
        place += 16 + size
    return found
