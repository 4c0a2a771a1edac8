"""What a trial costs the driver: asking, recording epochs and reopening, at a thousand trials with tabulated curves."""

from collections.abc import Iterator
from pathlib import Path

import optuna
import pytest

from study.asha import Asha
from study.ledger import Assignment, Ledger, open_study
from study.reading import load_space
from study.search_source import SearchSource

TRIALS, EPOCHS = 1000, 10
FIGURES = {f"figure.{number}.average_precision": 0.123456789 for number in range(30)}


@pytest.fixture(scope="module")
def journal(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A search of a thousand trials, drawn at random since only their number matters here."""
    path = tmp_path_factory.mktemp("ledger") / "journal.log"
    ledger = _opened(path, TRIALS)
    random = optuna.samplers.RandomSampler(seed=0)
    ledger._reseed = lambda asked: setattr(ledger.study, "sampler", random)  # type: ignore[method-assign]
    for assignment in ledger.assignments():
        _carry_out(ledger, assignment)
    return path


def _opened(path: Path, trials: int) -> Ledger:
    source = SearchSource(load_space("everything")[1], trials)
    return Ledger(open_study(path, "search"), source, EPOCHS, 0, Asha(2, 3))


def _carry_out(ledger: Ledger, assignment: Assignment) -> None:
    for epoch in range(1, EPOCHS + 1):
        if ledger.report(assignment.number, epoch, (assignment.number * 7919 % 1000) / 1000 + epoch, FIGURES):
            break
    ledger.finish(assignment.number)


def test_reopening(benchmark, journal: Path) -> None:  # type: ignore[no-untyped-def]
    benchmark.pedantic(lambda: _opened(journal, TRIALS).summary(), rounds=3)


def test_asking_tpe_for_one_more(benchmark, journal: Path) -> None:  # type: ignore[no-untyped-def]
    ledger = _opened(journal, TRIALS + 20)
    assignments: Iterator[Assignment] = ledger.assignments()
    benchmark.pedantic(lambda: next(assignments), rounds=5)


def test_recording_a_trial(benchmark, journal: Path) -> None:  # type: ignore[no-untyped-def]
    ledger = _opened(journal, TRIALS + 60)
    assignments = ledger.assignments()
    benchmark.pedantic(_carry_out, setup=lambda: ((ledger, next(assignments)), {}), rounds=10)
