"""A tiny study for real, on Ray: search, interruption, resumption, replicates, retraining."""

import json
import signal

import pyarrow.parquet as pq
import pytest

from core.slices.table import SliceTable
from tests.programs import LOOPBACK, SPACE, Place, listening, wait_for


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
    assert [len(replicated["values"]) for replicated in best["replicates"]] == [3, 3]
    roles = [set(best["subjects"][role]) for role in ("train", "probe", "test")]
    assert not (roles[0] & roles[1])
    assert not (roles[0] & roles[2])
    assert not (roles[1] & roles[2])


def test_a_finished_study_is_kept_as_it_is(place: Place) -> None:
    best = place.root / "runs" / "tiny" / "best.json"
    before = best.read_text()
    again = place.run(place.search("--set", "fixed.training.epochs=6"))
    assert again.returncode == 0
    assert "kept 3, resumed 0" in again.stdout
    assert best.read_text() == before


def test_other_settings_under_the_same_name_are_refused(place: Place) -> None:
    other = place.run(place.search())
    assert other.returncode == 2
    assert "begun with other settings" in other.stderr
    assert "Traceback" not in other.stderr


def test_the_winner_is_retrained_and_tested_once(place: Place) -> None:
    done = place.run(place.command("core.train", "--best", "tiny"))
    assert done.returncode == 0, done.stdout + done.stderr
    assert "3 trainings taken over from the study's replicates" in done.stdout
    retrained = place.root / "runs" / "tiny" / "retrained"
    result = json.loads((retrained / "evaluation.json").read_text())
    assert [entry["name"] for entry in result["entries"]][:3] == ["winner", "winner, post-processed", "circle"]
    assert {entry["name"] for entry in result["entries"] if entry["kind"] == "floor"} == {
        "intensity",
        "deviation",
        "position",
        "tissue",
    }
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
    (folder / "best.json").write_text(
        (folder / "best.json").read_text().replace('"clear":', '"extended": true, "clear":')
    )
    done = place.run(place.command("core.train", "--best", "tiny"))
    assert "opening the test table again, 2 times now" in done.stdout
    assert json.loads(evaluation.read_text())["test"]["opened"] == 2


def test_a_fork_begins_with_the_best_of_another_study(place: Place) -> None:
    refused = place.run(place.search("--trials", "2"))
    assert refused.returncode == 2
    assert "--fork NAME" in refused.stderr
    done = place.run(place.search("--study", "tiny", "--fork", "branch", "--trials", "2"))
    assert done.returncode == 0, done.stdout + done.stderr
    assert "are tried again first" in done.stdout
    old = pq.read_table(place.root / "runs" / "tiny" / "trials.parquet").to_pylist()
    new = pq.read_table(place.root / "runs" / "branch" / "trials.parquet").to_pylist()
    assert new[1]["loss.alpha"] in {trial["loss.alpha"] for trial in old}
    nothing = place.run(place.search("--study", "absent", "--fork", "other"))
    assert nothing.returncode == 2
    assert "study.json" in nothing.stderr


def test_a_configuration_that_fails_does_not_stop_the_study(place: Place) -> None:
    broken = SPACE.replace('"detector.depth" = 2\n', "").replace(
        "[space]\n", '[space]\n"detector.depth" = { choices = [2, 6] }\n'
    )
    (place.root / "tiny.toml").write_text(broken.replace("trials = 3", "trials = 6"))
    done = place.run(place.search("--study", "broken"))
    assert done.returncode == 0, done.stdout + done.stderr
    trials = pq.read_table(place.root / "runs" / "broken" / "trials.parquet").to_pylist()
    failed = [trial for trial in trials if trial["state"] == "FAIL"]
    assert failed
    assert all(trial["detector.depth"] == 6 and "cannot be halved" in trial["reason"] for trial in failed)
