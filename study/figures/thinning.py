"""Which trials are drawn where all of them would be too many: never without the extremes."""

from collections.abc import Collection, Sequence

from study.records import TrialRecord, best_first

DRAWN = 1000  # trials in figures that draw a line or several symbols for each


def thinned(
    trials: Sequence[TrialRecord], most: int = DRAWN, keep: Collection[int | None] = ()
) -> tuple[TrialRecord, ...]:
    """At most about `most` of the scored trials, in their order.

    Kept for certain: the best tenth of `most`, the lowest objective at every last epoch, the lowest and the highest
    value of every parameter, the preset's own choice, and the numbers in `keep`. The rest is spread evenly over the
    order of asking.
    """
    scored = [trial for trial in trials if trial.value is not None]
    if len(scored) <= most:
        return tuple(scored)
    kept = {trial.number for trial in best_first(scored)[: most // 10]}
    kept |= {trial.number for trial in scored if trial.is_base} | {number for number in keep if number is not None}
    lowest: dict[int, TrialRecord] = {}
    ends: dict[tuple[str, str], TrialRecord] = {}
    for trial in scored:
        value = trial.value or 0.0
        held = lowest.setdefault(trial.epochs, trial)
        if value < (held.value or 0.0):
            lowest[trial.epochs] = trial
        for name, given in trial.params.items():
            if isinstance(given, int | float):
                low, high = ends.setdefault((name, "low"), trial), ends.setdefault((name, "high"), trial)
                if given < low.params[name]:
                    ends[name, "low"] = trial
                if given > high.params[name]:
                    ends[name, "high"] = trial
    kept |= {trial.number for trial in (*lowest.values(), *ends.values())}
    others = [trial for trial in scored if trial.number not in kept]
    room = max(most - len(kept), 0)
    kept |= {others[index * len(others) // room].number for index in range(room)}
    return tuple(trial for trial in scored if trial.number in kept)
