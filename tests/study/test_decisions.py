"""Decisions under concurrency, with tabulated learning curves and a simulated clock, cut at every event.

An event is one entry of the journal. A process that is killed after one comes back with a new ledger over what was
recorded, once with its clock going on (then all that follows must be the same), and once with the epochs lost that were
under way (then every decision must still be the rule's, on what was recorded when it was made).
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import optuna
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from optuna.storages import JournalStorage
from optuna.storages.journal import BaseJournalBackend
from optuna.trial import TrialState

from study import sampling
from study.asha import Asha
from study.ledger import Ledger, open_study
from study.reading import parse_space
from study.search_source import SearchSource

EPOCHS, SLOTS, TRIALS = 4, 3, 9
SPACE = parse_space(
    f"""
[study]
trials = {TRIALS}
[fixed]
"training.epochs" = {EPOCHS}
[space]
"loss.alpha" = {{ low = 0.0, high = 1.0 }}
"synthesis.mask.kind" = {{ choices = ["brush", "circle"] }}
"synthesis.mask.max_radius" = {{ low = 8.0, high = 20.0, when = {{ "synthesis.mask.kind" = ["circle"] }} }}
""",
    "test.toml",
)
ASHA = Asha(grace=1, reduction=2)


class Killed(Exception):
    pass


class Memory(BaseJournalBackend):
    """A journal in memory that ends the process after so many entries."""

    def __init__(self, entries: list[dict[str, Any]], last: int | None) -> None:
        self.entries, self.last = entries, last

    def read_logs(self, log_number_from: int) -> Iterator[dict[str, Any]]:
        yield from self.entries[log_number_from:]

    def append_logs(self, logs: list[dict[str, Any]]) -> None:
        for log in logs:
            self.entries.append(log)
            if len(self.entries) == self.last:
                raise Killed


@dataclass
class World:
    """What goes on when the process is killed: the clock, and when each trial's training began."""

    clock: float = 0.0
    began: dict[int, float] = field(default_factory=dict)
    entries: list[dict[str, Any]] = field(default_factory=list)
    expected: dict[tuple[int, int], bool] = field(default_factory=dict)


def value(config: dict[str, Any], epoch: int) -> float:
    return (1 - abs(config["loss"]["alpha"] - 0.3)) * (1 - 0.5**epoch)


def duration(config: dict[str, Any]) -> float:
    """Of one epoch; no two configurations take equally long."""
    return 1 + config["loss"]["alpha"]


def rule(epoch: int, mine: float, others: list[float]) -> bool:
    """ASHA once more, by counting: stop when as many as may go on are better."""
    if epoch not in (1, 2, 4, 8):
        return False
    return sum(other > mine for other in others) >= max((len(others) + 1) // 2, 1)


def run(world: World, last: int | None = None, *, lost: bool = False) -> optuna.Study:
    """One process, killed after `last` entries. lost: epochs that were under way begin anew."""
    study = open_study(JournalStorage(Memory(world.entries, last)), "search")
    ledger = Ledger(study, SearchSource(SPACE, TRIALS), EPOCHS, 0, ASHA)
    configs: dict[int, dict[str, Any]] = {}
    done: dict[int, int] = {}
    assignments = ledger.assignments()
    while True:
        while len(configs) < SLOTS and (one := next(assignments, None)):
            configs[one.number], done[one.number] = one.config, len(study.trials[one.number].intermediate_values)
            began = world.clock - done[one.number] * duration(one.config)
            world.began[one.number] = began if lost else world.began.get(one.number, began)
        if not configs:
            return study
        number = min(configs, key=lambda n: (world.began[n] + (done[n] + 1) * duration(configs[n]), n))
        epoch = done[number] + 1
        world.clock = world.began[number] + epoch * duration(configs[number])
        mine = value(configs[number], epoch)
        others = [t.intermediate_values[epoch] for t in study.trials if epoch in t.intermediate_values]
        world.expected[number, epoch] = epoch < EPOCHS and rule(epoch, mine, others)
        stops = ledger.report(number, epoch, mine, {"x": 1.0})
        assert stops == world.expected[number, epoch]
        done[number] = epoch
        if stops or epoch == EPOCHS:
            ledger.finish(number)
            del configs[number]


def story(study: optuna.Study) -> list[tuple[Any, ...]]:
    return [(t.number, t.state, t.params, t.value, t.intermediate_values) for t in study.trials]


@pytest.fixture(autouse=True, scope="module")
def learning_early() -> Iterator[None]:
    """The sampler leaves chance behind after four trials, so that what it has learned matters here."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sampling, "STARTUP", 4)
        yield


@pytest.fixture(scope="module")
def whole(learning_early: None) -> tuple[list[tuple[Any, ...]], int]:
    """The uninterrupted story, and how many events it has."""
    world = World()
    return story(run(world)), len(world.entries)


def test_rungs_are_powers_of_the_reduction_from_the_grace_on() -> None:
    for grace in range(1, 6):
        assert not any(Asha(grace, 1).is_rung(epoch) for epoch in range(1, 61))
        for reduction in range(2, 6):
            rungs = [epoch for epoch in range(1, 61) if Asha(grace, reduction).is_rung(epoch)]
            assert rungs == [grace * reduction**n for n in range(6) if grace * reduction**n <= 60]


@given(
    st.integers(1, 4),
    st.integers(1, 5),
    st.integers(0, 2),
    st.sampled_from([0.0, 0.25, 0.4, 0.5, 0.75, 1.0]),
    st.lists(st.sampled_from([0.0, 0.25, 0.5, 0.75, 1.0])),
)
def test_one_in_so_many_goes_on_from_each_rung_and_the_best_always_does(
    grace: int, reduction: int, rung: int, mine: float, met: list[float]
) -> None:
    epoch = grace * reduction**rung
    curves = [{epoch: value, epoch + 1: 1.0} for value in met] + [{epoch + 1: 1.0}] * 3
    go_on = max((len(met) + 1) // reduction, 1)
    stops = reduction > 1 and sum(value > mine for value in met) >= go_on
    assert Asha(grace, reduction).stops(epoch, mine, curves) == stops
    assert not Asha(grace, 7).stops(7 * grace - 1, mine, [{7 * grace - 1: 2.0}] * 9)  # no rung


def test_the_uninterrupted_story_has_all_that_it_should(whole: tuple[list[tuple[Any, ...]], int]) -> None:
    states = Counter(state for _, state, *_ in whole[0])
    assert states[TrialState.PRUNED] >= 2
    assert states[TrialState.COMPLETE] >= 2
    assert sum(states.values()) == TRIALS


def test_cut_at_any_event_everything_after_is_the_same(whole: tuple[list[tuple[Any, ...]], int]) -> None:
    expected, events = whole
    for cut in range(1, events + 1):
        world = World()
        with pytest.raises(Killed):
            run(world, cut)
        assert story(run(world)) == expected, f"cut after event {cut} of {events}"


@settings(max_examples=25, deadline=None)
@given(cuts=st.lists(st.integers(1, 40), min_size=1, max_size=6), lost=st.booleans())
def test_cut_many_times_nothing_recorded_changes_and_every_decision_is_the_rules(cuts: list[int], lost: bool) -> None:
    world = World()
    before: list[tuple[Any, ...]] = []
    for more in cuts:
        try:
            run(world, len(world.entries) + more, lost=lost)
        except Killed:
            study = optuna.load_study(study_name="search", storage=JournalStorage(Memory(world.entries, None)))
            now = story(study) if study.trials else []
            finished = [one for one in before if one[1].is_finished()]
            assert [now[one[0]] for one in finished] == finished
            assert all(now[one[0]][4].items() >= one[4].items() for one in before)
            before = now
    study = run(world, lost=lost)
    assert len(study.trials) == TRIALS
    for trial in study.trials:
        epochs = sorted(trial.intermediate_values)
        stopped = [world.expected[trial.number, epoch] for epoch in epochs]
        assert epochs == list(range(1, len(epochs) + 1))
        assert trial.state == (TrialState.PRUNED if stopped[-1] else TrialState.COMPLETE)
        assert not any(stopped[:-1])
        assert stopped[-1] == (len(epochs) < EPOCHS)
