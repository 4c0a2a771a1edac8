"""From replicates to a verdict: who wins, by how much, and whether that is clear."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import optuna
from optuna.trial import FrozenTrial, TrialState

from core.config import ScoreName
from core.intervals import Interval, mean_interval, paired_difference
from core.scores import SCORES
from study.ledger import EPOCHS

LEVEL = 0.95
_NAMED = 5  # trials that a sentence names before it counts the rest


@dataclass(frozen=True)
class Candidate:
    """One replicated configuration: objective at full budget under each fresh seed, in the order of the seeds.

    runs: the numbers of these trainings in the study of replicates.
    """

    trial: int
    values: tuple[float, ...]
    runs: tuple[int, ...]
    figures: tuple[dict[str, float], ...]
    interval: Interval


@dataclass(frozen=True)
class Verdict:
    """The outcome of a study. winner: the candidate with the highest mean. difference: its paired difference to the
    runner-up, over common seeds. score: the slice score that ranked best on the probe. over_own: the winner's paired
    difference to the preset's own choice; None where it is that, or has none beside it.

    clear: the interval of the winner's paired difference to each other candidate lies above 0. This is an
    intersection-union test: all of them must hold, so their number needs no correction. not_apart: the trials for which
    it does not lie above 0, in the order of the candidates.
    """

    winner: Candidate
    candidates: tuple[Candidate, ...]
    difference: Interval | None
    clear: bool
    score: ScoreName
    sentence: str
    over_own: Interval | None = None
    not_apart: tuple[int, ...] = ()


def candidates(replicates: optuna.Study, seeds: list[int], epochs: int) -> list[Candidate]:
    """Configurations that finished under every seed, best mean first. One that failed under a seed is left out."""
    found: dict[int, dict[int, FrozenTrial]] = {}
    for trial in replicates.get_trials(deepcopy=False):
        if trial.state == TrialState.COMPLETE and trial.value is not None:
            found.setdefault(trial.params["trial"], {})[trial.params["seed"]] = trial
    complete = []
    for number, runs in found.items():
        if all(seed in runs for seed in seeds):
            ordered = [runs[seed] for seed in seeds]
            values = tuple(run.value or 0.0 for run in ordered)
            figures = tuple(run.user_attrs[f"{EPOCHS} {epochs}"] for run in ordered)
            places = tuple(run.number for run in ordered)
            complete.append(Candidate(number, values, places, figures, mean_interval(values, level=LEVEL)))
    return sorted(complete, key=lambda candidate: -candidate.interval.estimate)


def decide(ranked: list[Candidate], own: int | None = None, left_out: Sequence[int] = ()) -> Verdict:
    """Name the winner and say how sure that is. `ranked` must hold at least one candidate, best first.

    own: the trial that is the preset's own choice. left_out: trials that were replicated and failed under some seed.
    """
    winner = ranked[0]
    score = _best_score(winner)
    mean = f"trial {winner.trial} has mean {_words(winner.interval)} over {len(winner.values)} fresh seeds"
    missing = f" Left out, as a replicate failed: {trials_named(left_out)}." if left_out else ""
    if len(ranked) == 1:
        alone = "that finished under every seed" if left_out else "replicated"
        sentence = f"No comparison: {mean}, and it is the only configuration {alone}.{missing}"
        return Verdict(winner, tuple(ranked), None, False, score, sentence)
    leads = {other.trial: paired_difference(winner.values, other.values, level=LEVEL) for other in ranked[1:]}
    near = tuple(trial for trial, lead in leads.items() if lead.low <= 0)
    told, over = _beside_own(ranked, own)
    sentence = _sentence(mean, leads, near) + told + missing
    return Verdict(winner, tuple(ranked), leads[ranked[1].trial], not near, score, sentence, over, near)


def plain(verdict: Verdict) -> dict[str, Any]:
    """The verdict as plain data for best.json."""
    return {
        "winner": verdict.winner.trial,
        "clear": verdict.clear,
        "not_apart": list(verdict.not_apart),
        "sentence": verdict.sentence,
        "level": LEVEL,
        "difference": asdict(verdict.difference) if verdict.difference else None,
        "score": verdict.score,
        "over_own": asdict(verdict.over_own) if verdict.over_own else None,
    }


def _sentence(mean: str, leads: dict[int, Interval], near: Sequence[int]) -> str:
    """What the winner is ahead of and what not. leads: over every other candidate, the runner-up first."""
    second, lead = next(iter(leads.items()))
    words = f"{mean}; its lead over trial {second} is {_words(lead)}"
    if near:
        return f"No clear winner: {words}. It is not told apart from {trials_named(near)}: the interval includes 0."
    others = ", and above 0 over every other candidate as well" if len(leads) > 1 else ""
    return f"{words[0].upper()}{words[1:]}{others}."


def trials_named(numbers: Sequence[int]) -> str:
    """`trial 3`, or `trials 3, 5 and 8`; of many the first few, and how many more there are."""
    if len(numbers) == 1:
        return f"trial {numbers[0]}"
    named, rest = list(map(str, numbers[:_NAMED])), len(numbers) - _NAMED
    last = f"{rest} more" if rest > 0 else named.pop()
    return f"trials {', '.join(named)} and {last}"


def _beside_own(ranked: list[Candidate], own: int | None) -> tuple[str, Interval | None]:
    """What the search has brought: the winner beside the preset's own choice, in words and as a difference."""
    winner, found = ranked[0], next((one for one in ranked if one.trial == own), None)
    if found is None:
        return "", None
    if found is winner:
        return f" Trial {own} is the preset's own choice: the search found nothing better.", None
    over = paired_difference(winner.values, found.values, level=LEVEL)
    if found is ranked[1]:
        return f" Trial {own} is the preset's own choice.", over
    rest = "" if over.low > 0 else ", which includes 0"
    return f" Over the preset's own choice, trial {own}, it leads by {_words(over)}{rest}.", over


def _best_score(winner: Candidate) -> ScoreName:
    """The slice score with the highest mean AUROC on the probe's slices; the paper's `mean` keeps ties."""
    means = {name: float(np.mean([run[f"sample.{name}.auroc"] for run in winner.figures])) for name in SCORES}
    return max(SCORES, key=lambda name: means[name])


def _words(interval: Interval) -> str:
    return f"{interval.estimate:.4f} [{interval.low:.4f}, {interval.high:.4f}]"
