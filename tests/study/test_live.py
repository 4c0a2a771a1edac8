"""The live view: its numbers, its text, and what becomes of it without a terminal or without colours."""

import io
from typing import Any

import optuna
import pytest
from optuna.trial import TrialState
from rich.console import Console
from stored_studies import BUDGET

from core.config import to_dict
from study import progress as progress_module
from study.asha import Asha
from study.ledger import Ledger
from study.live import Live, Rung, Running, draw_live, left_words, rungs_info
from study.progress import Progress
from study.search_source import SearchSource
from study.space import Space

ASHA = Asha(1, 3)


def test_rungs_tell_who_met_and_what_the_next_one_must_reach() -> None:
    curves = {n: {1: 0.1 * n, **({2: 0.2, 3: 0.5} if n > 4 else {})} for n in range(1, 8)}
    assert rungs_info(ASHA, 9, curves) == (
        Rung(1, 7, 2, pytest.approx(0.6)),
        Rung(3, 3, 1, 0.5),
    )
    assert rungs_info(None, 9, curves) == ()
    assert rungs_info(Asha(1, 1), 9, curves) == ()


def test_the_cut_is_the_one_that_asha_applies() -> None:
    curves = {n: {1: 0.1 * n} for n in range(7)}
    (rung,) = rungs_info(ASHA, 3, curves)
    others = [curve for n, curve in curves.items() if n != 5]
    assert ASHA.stops(1, curves[5][1], others) == (curves[5][1] < rung.cut)
    assert ASHA.stops(1, curves[4][1], [c for n, c in curves.items() if n != 4])


def _text(info: Live, **options: Any) -> str:
    console = Console(file=io.StringIO(), width=120, **options)
    console.print(draw_live(info))
    file = console.file
    assert isinstance(file, io.StringIO)
    return file.getvalue()


INFO = Live(
    "search", 3, 9, 4, (Running(4, 2, 0.1234, "loss.alpha 0.3"), Running(5, 0, None, "label changed")),
    (0.4567, 2), (Rung(1, 4, 1, 0.3333),), 2, 250.0,
)  # fmt: skip


def test_the_view_holds_trials_best_rungs_slots_and_time() -> None:
    text = _text(INFO)
    for words in (
        "search 3/9", "best 0.4567 (trial 2)", "2 of 2 slots", "about 4 min left", "2/4", "0.1234", "loss.alpha 0.3",
        "0/4", "label changed", "1: 4 met, 1 may go on, from 0.3333",
    ):  # fmt: skip
        assert words in text, text


def test_many_trainings_are_counted_rather_than_scrolled() -> None:
    many = tuple(Running(n, 1, 0.1, "words") for n in range(64))
    text = _text(INFO._replace(running=many))
    assert "and 44 more" in text
    assert len(text.splitlines()) < 30


def test_no_color_is_honoured(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "\x1b[3" in _text(INFO, force_terminal=True)
    monkeypatch.setenv("NO_COLOR", "1")
    plain = _text(INFO, force_terminal=True)
    assert not [code for code in plain.split("\x1b[")[1:] if code.split("m")[0].startswith(("3", "9", "4"))]


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(None, ""), (42.0, "about 42 s left"), (600.0, "about 10 min left"), (9000.0, "about 2.5 h left")],
)
def test_time_left_is_words(seconds: float | None, words: str) -> None:
    assert left_words(seconds) == words


def _ran(space: Space, console: Console, monkeypatch: pytest.MonkeyPatch) -> str:
    """A search of three trials, told to a console: the first goes on, the others stop at the first rung."""
    monkeypatch.setattr(progress_module, "out", console)
    study = optuna.create_study(direction="maximize")
    ledger = Ledger(study, SearchSource(space, 3), BUDGET, 0, ASHA)
    progress = Progress("search", 3, 0, BUDGET, to_dict(space.base()), 2)
    progress.follow(ledger)
    with progress:
        for assignment, value in zip(ledger.assignments(), (0.3, 0.2, 0.1), strict=True):
            progress.started(assignment.number, assignment.config)
            for epoch in range(1, BUDGET + 1):
                stops = ledger.report(assignment.number, epoch, value, {})
                progress.epoch(assignment.number, epoch, value)
                if stops:
                    break
            progress.ended(assignment.number, ledger.finish(assignment.number), ledger)
            assert progress.info().done == assignment.number + 1
        info = progress.info()
    assert study.trials[0].state == TrialState.COMPLETE
    assert info.best == (0.3, 0)
    if console.is_terminal:
        assert info.rungs[0] == Rung(1, 3, 1, 0.3)
    file = console.file
    assert isinstance(file, io.StringIO)
    return file.getvalue()


def test_a_log_has_plain_lines_alone(space: Space, monkeypatch: pytest.MonkeyPatch) -> None:
    said = _ran(space, Console(file=io.StringIO(), width=140, highlight=False), monkeypatch)
    assert "\x1b" not in said
    assert "search: 0 begins: the base configuration" in said
    assert "search: 0 complete at epoch 4 of 4, objective 0.3000  [1/3, about 0 s left]" in said
    assert "search: 2 stopped early at epoch 1 of 4, objective 0.1000  [3/3]" in said
    assert "slots" not in said


def test_a_terminal_has_the_lines_and_the_view_that_goes_at_the_end(
    space: Space, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = _ran(space, Console(file=io.StringIO(), width=140, force_terminal=True, highlight=False), monkeypatch)
    assert "search: 0 complete at epoch 4 of 4, objective 0.3000" in said
    assert "of 2 slots" in said
    assert "\x1b[2K" in said  # lines of the view are erased


def test_a_search_that_goes_on_knows_what_it_had_and_tells_how_trainings_end(
    space: Space, monkeypatch: pytest.MonkeyPatch
) -> None:
    console = Console(file=io.StringIO(), width=160, force_terminal=True, highlight=False)
    monkeypatch.setattr(progress_module, "out", console)
    ledger = Ledger(optuna.create_study(direction="maximize"), SearchSource(space, 5), BUDGET, 0, ASHA)
    coming = ledger.assignments()
    progress = Progress("search", 5, 2, BUDGET, to_dict(space.base()), 2)

    def trained(*values: float) -> TrialState:
        number = next(coming).number
        for epoch, value in enumerate(values, start=1):
            ledger.report(number, epoch, value, {})
            progress.epoch(number, epoch, value)
        return ledger.finish(number)

    assert trained(0.3, 0.3, 0.3, 0.1) == TrialState.COMPLETE
    assert trained(0.2) == TrialState.PRUNED
    progress.follow(ledger)
    assert progress.info().best == (0.1, 0)  # the best in full, although one that was stopped had more
    assert progress.info().rungs[0] == Rung(1, 2, 1, 0.3)
    progress.ended(2, trained(0.25), ledger)
    assert progress.info().best == (0.1, 0)
    number = next(coming).number
    progress.epoch(number, 1, 0.5)
    assert number in [one.number for one in progress.info().running]
    progress.died(number, 1, "killed by signal 9")
    progress.repeats(number, 1)
    progress.lost(number, "its node left")
    assert number not in [one.number for one in progress.info().running]
    ledger.fail(number, "the loss of epoch 2 is nan")
    progress.ended(number, TrialState.FAIL, ledger)
    ledger.fail(next(coming).number, "out of memory")
    progress.ended(4, TrialState.FAIL, ledger)
    assert isinstance(console.file, io.StringIO)
    said = console.file.getvalue()
    for words in (
        "search: 2 stopped early at epoch 1 of 4, objective 0.2500  [3/5, ",
        "search: 3 goes on from epoch 1: its worker died, killed by signal 9",
        "search: 3 trains epoch 1 again: its checkpoint is damaged or gone",
        "search: 3 given up for now: its node left; it fails if the fault proves its own, else it is tried again",
        "search: 3 failed: the loss of epoch 2 is nan  [4/5, ",
        "search: 4 failed: out of memory  [5/5]",
    ):
        assert words in said
