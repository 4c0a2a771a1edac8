"""From replicates to words: a clear winner, none, and one candidate alone."""

import pytest

from core.intervals import mean_interval
from core.scores import SCORES
from study.selection import Candidate, decide, plain, trials_named


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


def test_a_third_candidate_that_spreads_widely_denies_a_clear_win() -> None:
    best, second = _candidate(4, 0.520, 0.521, 0.519), _candidate(2, 0.500, 0.502, 0.498)
    wide = _candidate(7, 0.30, 0.65, 0.54)
    assert decide([best, second]).clear
    verdict = decide([best, second, wide])
    assert not verdict.clear
    assert verdict.not_apart == (7,)
    assert plain(verdict)["not_apart"] == [7]
    assert verdict.difference == decide([best, second]).difference
    assert verdict.sentence.startswith("No clear winner: trial 4 has mean 0.5200")
    assert "its lead over trial 2 is 0.0200" in verdict.sentence
    assert verdict.sentence.endswith("It is not told apart from trial 7: the interval includes 0.")
    far = _candidate(7, 0.30, 0.32, 0.29)
    assert decide([best, second, far]).clear
    assert decide([best, second, far]).sentence.endswith(", and above 0 over every other candidate as well.")


@pytest.mark.parametrize(
    ("numbers", "words"),
    [
        ([3], "trial 3"),
        ([3, 1], "trials 3 and 1"),
        ([5, 4, 3, 2, 1], "trials 5, 4, 3, 2 and 1"),
        ([*range(8)], "trials 0, 1, 2, 3, 4 and 3 more"),
    ],
)
def test_trials_are_named_and_many_are_counted(numbers: list[int], words: str) -> None:
    assert trials_named(numbers) == words


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


def test_trials_that_failed_under_a_seed_are_told() -> None:
    best, second = _candidate(4, 0.50, 0.52, 0.54), _candidate(2, 0.40, 0.42, 0.441)
    verdict = decide([best, second], left_out=[7, 0])
    assert verdict.sentence == decide([best, second]).sentence + " Left out, as a replicate failed: trials 7 and 0."
    alone = decide([best], left_out=[7]).sentence
    assert alone.endswith(
        "only configuration that finished under every seed. Left out, as a replicate failed: trial 7."
    )


def test_a_single_candidate_is_said_to_be_one() -> None:
    verdict = decide([_candidate(4, 0.5, 0.6, 0.7, best_score="foreground_top")])
    assert verdict.difference is None
    assert "only configuration" in verdict.sentence
    assert verdict.score == "foreground_top"
    assert (plain(verdict)["difference"], plain(verdict)["over_own"], plain(verdict)["clear"]) == (None, None, False)
