"""The ledger with tabulated learning curves and no Ray: truthful states, and restarts that change nothing."""

from collections.abc import Sequence
from datetime import datetime, timedelta, tzinfo
from pathlib import Path

import optuna
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from optuna.trial import FrozenTrial, TrialState

from core.errors import BadStudy
from study.asha import Asha
from study.ledger import Ledger, open_study
from study.reading import parse_space
from study.search_source import SearchSource
from study.space import Space
from study.trials import trial_table

EPOCHS = 9
SPACE = """
[study]
trials = 12
grace = 1
reduction = 3
[fixed]
"training.epochs" = 9
[space]
"loss.alpha" = { low = 0.0, high = 1.0 }
"synthesis.mask.kind" = { choices = ["brush", "circle"] }
"synthesis.mask.max_radius" = { low = 8.0, high = 20.0, when = { "synthesis.mask.kind" = ["circle"] } }
"""


def _curve(config: dict, epoch: int) -> float:
    """A learning curve that depends on the configuration alone."""
    return (1 - abs(config["loss"]["alpha"] - 0.3)) * (1 - 0.5**epoch)


class _Killed(Exception):
    pass


def _space() -> Space:
    return parse_space(SPACE, "test.toml")


def _open(journal: Path, trials: int = 12, forked: Sequence[FrozenTrial] = ()) -> tuple[optuna.Study, Ledger]:
    study = open_study(journal, "search")
    return study, Ledger(study, SearchSource(_space(), trials, forked), EPOCHS, 0, Asha(1, 3))


def _run(journal: Path, events: int | None = None, trials: int = 12) -> optuna.Study:
    """One process: one trial at a time, killed after so many reports."""
    study, ledger = _open(journal, trials)
    left = events
    for assignment in ledger.assignments():
        for epoch in range(1, EPOCHS + 1):
            if left == 0:
                raise _Killed
            left = None if left is None else left - 1
            stop = ledger.report(assignment.number, epoch, _curve(assignment.config, epoch), {"x": 1.0})
            if stop:
                break
        ledger.finish(assignment.number)
    return study


def _story(study: optuna.Study) -> list[tuple]:
    return [(t.number, t.state, t.params, t.value, sorted(t.intermediate_values)) for t in study.get_trials()]


def test_states_are_told_truthfully(tmp_path: Path) -> None:
    study = _run(tmp_path / "journal.log")
    states = [trial.state for trial in study.trials]
    assert len(states) == 12
    assert TrialState.PRUNED in states
    for trial in study.trials:
        full = EPOCHS in trial.intermediate_values
        assert trial.state == (TrialState.COMPLETE if full else TrialState.PRUNED)
        assert trial.value == trial.intermediate_values[max(trial.intermediate_values)]


def test_the_presets_own_choice_is_tried_first(tmp_path: Path) -> None:
    study = _run(tmp_path / "journal.log")
    assert study.trials[0].params == {"loss.alpha": 0.5, "synthesis.mask.kind": "brush"}
    assert study.trials[0].user_attrs["paper"]


@settings(max_examples=12, deadline=None)
@given(cuts=st.lists(st.integers(0, 25), min_size=1, max_size=3))
def test_a_study_cut_anywhere_ends_as_an_uninterrupted_one(
    cuts: list[int], tmp_path_factory: pytest.TempPathFactory
) -> None:
    whole = _run(tmp_path_factory.mktemp("whole") / "journal.log")
    journal = tmp_path_factory.mktemp("cut") / "journal.log"
    for cut in cuts:
        try:
            _run(journal, cut)
        except _Killed:
            continue
    assert _story(_run(journal)) == _story(whole)


def test_a_replayed_epoch_changes_nothing(tmp_path: Path) -> None:
    study, ledger = _open(tmp_path / "journal.log")
    number = next(ledger.assignments()).number
    ledger.report(number, 1, 0.4, {})
    assert ledger.report(number, 1, 0.1, {}) is False
    assert study.trials[number].intermediate_values == {1: 0.4}


def test_an_interrupted_trial_stays_running_and_is_handed_out_again(tmp_path: Path) -> None:
    _, ledger = _open(tmp_path / "journal.log")
    first = next(ledger.assignments())
    ledger.report(first.number, 1, 0.4, {})
    assert ledger.finish(first.number) == TrialState.RUNNING
    _, again = _open(tmp_path / "journal.log")
    assert "resumed 1 (trial 0 at epoch 1)" in again.summary()
    assert next(again.assignments()) == first


def test_a_failure_keeps_its_reason_and_is_not_asked_again(tmp_path: Path) -> None:
    _, ledger = _open(tmp_path / "journal.log")
    number = next(ledger.assignments()).number
    ledger.fail(number, "the loss of epoch 1 is nan")
    assert ledger.finish(number) == TrialState.FAIL
    study, again = _open(tmp_path / "journal.log")
    assert study.trials[number].user_attrs["reason"] == "the loss of epoch 1 is nan"
    assert again.summary() == "kept 0, resumed 0, failed before 1, to ask 11"
    assert again.remaining() == 11
    assert next(again.assignments()).number != number


def test_the_end_of_a_trial_is_told_once_it_is_recorded(tmp_path: Path) -> None:
    study, told = open_study(tmp_path / "journal.log", "search"), []

    def ended(number: int) -> None:
        told.append((number, study.get_trials()[number].state))

    ledger = Ledger(study, SearchSource(_space(), 4), EPOCHS, 0, Asha(1, 3), ended)
    whole, stopped, failed, interrupted = [one.number for one in ledger.assignments()]
    for epoch in range(1, EPOCHS + 1):
        assert not ledger.report(whole, epoch, 0.9, {})
    assert ledger.report(stopped, 1, 0.1, {})
    ledger.report(interrupted, 1, 0.95, {})
    ledger.fail(failed, "the loss of epoch 1 is nan")
    for number in (whole, stopped, failed, interrupted, whole):
        ledger.finish(number)
    assert told == [(failed, TrialState.FAIL), (whole, TrialState.COMPLETE), (stopped, TrialState.PRUNED)]


def test_a_restarted_sampler_does_not_repeat_its_draws(tmp_path: Path) -> None:
    drawn = []
    for _ in range(4):
        _, ledger = _open(tmp_path / "journal.log")
        for assignment in ledger.assignments():
            if assignment.number == len(drawn):
                drawn.append(assignment.config["loss"]["alpha"])
                ledger.fail(assignment.number, "not the point here")
                break
    assert len(set(drawn)) == 4


def test_a_finished_study_can_be_extended(tmp_path: Path) -> None:
    """What it had stays, and it goes on as if it had been planned so large at once."""
    _run(tmp_path / "short.log", trials=8)
    study = _run(tmp_path / "short.log", trials=12)
    assert _story(study) == _story(_run(tmp_path / "long.log", trials=12))


def test_the_last_start_says_how_many_are_planned(tmp_path: Path) -> None:
    for trials in (4, 12, 12, 8):
        study, ledger = _open(tmp_path / "journal.log", trials)
        assert study.user_attrs["planned"] == ledger.total == trials
    assert (tmp_path / "journal.log").read_text().count('"planned"') == 3  # written when it changes


def test_an_extension_that_was_cut_goes_on_without_being_asked_again(tmp_path: Path) -> None:
    _run(tmp_path / "cut.log", trials=4)
    with pytest.raises(_Killed):
        _run(tmp_path / "cut.log", 3, trials=12)
    _, ledger = _open(tmp_path / "cut.log", trials=4)
    assert "resumed 1" in ledger.summary()
    study = _run(tmp_path / "cut.log", trials=4)
    assert all(trial.state.is_finished() for trial in study.trials)


def test_a_fork_tries_the_old_studys_best_after_the_presets_own(tmp_path: Path) -> None:
    old = _run(tmp_path / "old.log").best_trials[0]
    study, ledger = _open(tmp_path / "new.log", forked=[old])
    assignments = ledger.assignments()
    next(assignments)
    assert next(assignments).config["loss"]["alpha"] == old.params["loss.alpha"]
    assert study.trials[0].user_attrs["paper"]
    assert study.trials[1].user_attrs["forked"] == old.number
    assert study.trials[1].params == old.params


@pytest.mark.parametrize("enqueued", [0, 1, 2, 3])
def test_a_fork_that_was_killed_while_it_began_is_completed_once(
    enqueued: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    forked = _run(tmp_path / "old.log").trials[1:4]
    enqueue = optuna.Study.enqueue_trial
    left = [None] * enqueued

    def killed(self: optuna.Study, *words: object, **named: object) -> None:
        if not left:
            raise _Killed
        left.pop()
        enqueue(self, *words, **named)  # type: ignore[arg-type]

    with monkeypatch.context() as patched:
        patched.setattr(optuna.Study, "enqueue_trial", killed)
        with pytest.raises(_Killed):
            _open(tmp_path / "new.log", forked=forked)
    for _ in range(2):
        study, _ = _open(tmp_path / "new.log", forked=forked[:1])  # the old study may have moved on in the meantime
        assert [trial.user_attrs for trial in study.trials] == [
            {"paper": True}, *({"forked": trial.number} for trial in forked)
        ]  # fmt: skip


def test_a_study_that_noted_nothing_gets_no_trial_enqueued(tmp_path: Path) -> None:
    """As of earlier versions: whether its beginning was complete cannot be known."""
    (forked,) = _run(tmp_path / "old.log").best_trials
    open_study(tmp_path / "new.log", "search").enqueue_trial({"loss.alpha": 0.5}, user_attrs={"paper": True})
    study, _ = _open(tmp_path / "new.log", forked=[forked])
    assert len(study.trials) == 1


def test_a_study_that_searched_whole_numbers_for_a_fraction_is_not_gone_on_with(tmp_path: Path) -> None:
    """As versions did for a range from 0 to 1. What is finished already is left as it is."""
    study = open_study(tmp_path / "journal.log", "search")
    trial = study.ask({"loss.alpha": optuna.distributions.IntDistribution(0, 1)})
    study.tell(trial, 0.5)
    with pytest.raises(
        BadStudy, match=r"space\.loss\.alpha: trial 0 searched whole numbers.*fractions are searched now"
    ):
        _open(tmp_path / "journal.log", trials=2)
    _open(tmp_path / "journal.log", trials=1)


def test_a_clock_that_is_set_back_changes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Optuna writes what the clock says; nothing is derived from it."""
    straight = trial_table(_run(tmp_path / "straight.log"))

    class Back(datetime):
        hours = 0

        @classmethod
        def now(cls, tz: tzinfo | None = None) -> datetime:
            Back.hours -= 1
            return datetime(2030, 1, 1, tzinfo=tz) + timedelta(hours=Back.hours)

    monkeypatch.setattr(optuna.storages.journal._storage, "datetime", Back)
    with pytest.raises(_Killed):
        _run(tmp_path / "back.log", events=20)
    back = trial_table(_run(tmp_path / "back.log"))
    assert all(row["ended"] < row["started"] for row in back.to_pylist())
    clocks = ["started", "ended"]
    assert back.drop_columns(clocks).equals(straight.drop_columns(clocks))
