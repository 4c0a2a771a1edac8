"""From replicates to words: a clear winner, none, and one candidate alone."""

import pytest

from core.intervals import mean_interval
from core.scores import SCORES
from study.selection import Candidate, decide


def _candidate(trial: int, *values: float, best_score: str = "mean") -> Candidate:
    figures = {f"sample.{name}.auroc": 0.9 if name == best_score else 0.6 for name in SCORES}
    return Candidate(trial, values, tuple(range(len(values))), (figures,) * len(values), mean_interval(values))


def test_a_lead_that_holds_under_every_seed_is_clear() -> None:
    verdict = decide([_candidate(4, 0.50, 0.52, 0.54), _candidate(2, 0.40, 0.42, 0.441)])
    assert verdict.clear
    assert verdict.difference is not None
    assert verdict.difference.estimate == pytest.approx(0.0997, abs=1e-3)
    assert verdict.sentence.startswith("Trial 4 has mean 0.52")


def test_a_lead_within_the_spread_is_no_clear_winner() -> None:
    verdict = decide([_candidate(4, 0.50, 0.30, 0.54), _candidate(2, 0.40, 0.42, 0.44)])
    assert not verdict.clear
    assert verdict.sentence.startswith("No clear winner: trial 4")
    assert "includes 0" in verdict.sentence


def test_the_winner_is_held_against_the_presets_own_choice() -> None:
    best, second, own = (
        _candidate(4, 0.50, 0.52, 0.54),
        _candidate(2, 0.50, 0.51, 0.53),
        _candidate(0, 0.4, 0.42, 0.441),
    )
    verdict = decide([best, second, own], 0)
    assert verdict.over_own is not None
    assert verdict.over_own.low > 0
    assert verdict.sentence.endswith(" Over the preset's own choice, trial 0, it leads by 0.0997 [0.0982, 0.1011].")
    near = _candidate(0, 0.3, 0.52, 0.44)
    assert decide([best, second, near], 0).sentence.endswith("which includes 0.")
    assert decide([best, own], 0).sentence.endswith("Trial 0 is the preset's own choice.")
    assert decide([best, own], 0).over_own == decide([best, own], 0).difference
    assert decide([best, own], 4).sentence.endswith(
        "Trial 4 is the preset's own choice: the search found nothing better."
    )
    assert decide([best, own], 7).over_own is None


def test_a_single_candidate_is_said_to_be_one() -> None:
    verdict = decide([_candidate(4, 0.5, 0.6, 0.7, best_score="foreground_top")])
    assert verdict.difference is None
    assert "only configuration" in verdict.sentence
    assert verdict.score == "foreground_top"
