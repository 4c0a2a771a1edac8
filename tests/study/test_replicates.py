"""Which trials are replicated, and that every pair of trial and seed is handed out once."""

from dataclasses import replace
from functools import partial
from typing import Any

import optuna
from optuna.trial import TrialState

from core.config import Config, override, to_dict
from study.ledger import CONFIG, Ledger
from study.records import records_of
from study.replicates import ReplicateSource, configured, leaders, with_own
from study.search_source import PAPER

FULL, CUT, FAIL = TrialState.COMPLETE, TrialState.PRUNED, TrialState.FAIL


def _study(ends: list[tuple[TrialState, int, float, float]]) -> optuna.Study:
    """Trials by state, last epoch, value and alpha."""
    study = optuna.create_study(direction="maximize")
    for state, epochs, value, alpha in ends:
        trial = study.ask()
        trial.set_user_attr(CONFIG, to_dict(override(Config(), {"loss.alpha": alpha})))
        for epoch in range(1, epochs + 1):
            trial.report(value, epoch)
        study.tell(trial, value if state == FULL else None, state=state)
    return study


def test_full_budget_leads_whatever_stopped_trials_reached() -> None:
    study = _study([(FULL, 9, 0.2, 0.1), (CUT, 3, 0.9, 0.2), (FULL, 9, 0.4, 0.3), (FAIL, 1, 0.95, 0.4)])
    assert leaders(records_of(study), 2) == [2, 0]


def test_places_left_open_go_to_those_stopped_last() -> None:
    study = _study([(CUT, 1, 0.9, 0.1), (FULL, 9, 0.2, 0.2), (CUT, 3, 0.5, 0.3), (CUT, 3, 0.6, 0.4), (FAIL, 0, 0, 0.5)])
    assert leaders(records_of(study), 3) == [1, 3, 2]
    assert leaders(records_of(study), 9) == [1, 3, 2, 0]


def test_equal_configurations_count_once() -> None:
    study = _study([(FULL, 9, 0.2, 0.1), (FULL, 9, 0.4, 0.1), (FULL, 9, 0.3, 0.2)])
    assert leaders(records_of(study), 3) == [1, 2]


def test_leaders_of_thousands_are_not_compared_with_each_other() -> None:
    class Counted(dict[str, Any]):
        compared = 0

        def __ne__(self, other: object) -> bool:
            Counted.compared += 1
            return not self == other

    records = records_of(_study([(FULL, 9, number / 100, number / 100) for number in range(50)]))
    counted = [replace(record, config=Counted(record.config or {})) for record in records]
    assert leaders(counted, 3) == [49, 48, 47]
    assert Counted.compared == 1 + 2


def test_a_study_without_scores_has_no_leaders() -> None:
    assert leaders(records_of(_study([(FAIL, 0, 0, 0.1)])), 2) == []


def test_the_presets_own_choice_is_replicated_as_well() -> None:
    study = optuna.create_study(direction="maximize")
    study.enqueue_trial({}, user_attrs={PAPER: True})
    for value, alpha in ((0.1, 0.1), (0.4, 0.3), (0.3, 0.5), (0.2, 0.1)):
        trial = study.ask()
        trial.set_user_attr(CONFIG, to_dict(override(Config(), {"loss.alpha": alpha})))
        study.tell(trial, value)
    assert with_own(study, [1, 2]) == ([1, 2, 0], 0)
    assert with_own(study, [0, 1]) == ([0, 1], 0)
    assert with_own(study, [1, 3]) == ([1, 3], 3)  # the same configuration, found again
    assert with_own(_study([(FULL, 9, 0.2, 0.1)]), [0]) == ([0], None)


def test_every_pair_is_handed_out_once() -> None:
    search = _study([(FULL, 9, 0.2, 0.1), (FULL, 9, 0.4, 0.3)])
    source = ReplicateSource(partial(configured, search), leaders(records_of(search), 2), [1000, 1001, 1002])
    study = optuna.create_study(direction="maximize")
    source.prepare(study)
    source.prepare(study)  # a restart enqueues nothing twice
    assert len(study.get_trials()) == source.total == 6
    handed = [source.assign(study.ask()) for _ in range(source.total)]
    assert [seed for _, seed in handed] == [1000, 1000, 1001, 1001, 1002, 1002]
    assert [config.loss.alpha for config, _ in handed] == [0.3, 0.1] * 3


def test_when_a_search_is_extended_earlier_pairs_are_finished_too() -> None:
    search = _study([(FULL, 9, 0.2, 0.1), (FULL, 9, 0.4, 0.3), (FULL, 9, 0.6, 0.5)])
    study = optuna.create_study(direction="maximize")
    before = Ledger(study, ReplicateSource(partial(configured, search), [1], [1000, 1001]), 9, 0)
    assert next(before.assignments()).config["loss"]["alpha"] == 0.3
    after = Ledger(study, ReplicateSource(partial(configured, search), [2], [1000, 1001]), 9, 0)
    assert after.remaining() == 4
    assert [(a.config["loss"]["alpha"], a.seed) for a in after.assignments()] == [
        (0.3, 1000), (0.3, 1001), (0.5, 1000), (0.5, 1001)
    ]  # fmt: skip
