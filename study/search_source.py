"""What a search tries: the preset's own choice, what it was forked from, and what Optuna suggests over its space."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import optuna
from optuna.distributions import IntDistribution
from optuna.trial import FrozenTrial

from core.config import Config
from core.errors import BadStudy
from study.parameters import Range
from study.space import Space

FORKED = "forked"  # number of the trial in the study that this one was forked from
PAPER = "paper"  # set on the trial that is the preset's own choice
FIRST = "first"  # of a study: values and attributes of the trials that are tried before the sampler is asked


@dataclass
class SearchSource:
    """Trials suggested by Optuna over a space, all under one seed so that they differ by their settings alone.

    total: trials in all. forked: trials of another study that are tried again first.
    """

    space: Space
    total: int
    forked: Sequence[FrozenTrial] = ()

    def prepare(self, study: optuna.Study) -> None:
        """The preset's own choice is the first trial, where the space holds it: a winner must beat it.

        After it come the trials that the study was forked from, as far as this space holds their values. They are noted
        before the first is enqueued, so that a call which was killed in between is completed by the next one. Raises
        BadStudy when earlier trials took a number in whole steps that is to be searched in fractions, or the reverse.
        """
        self._require_same_numbers(study)
        enqueued = len(study.get_trials(deepcopy=False))  # or asked already, which is after all of these
        if FIRST not in study.user_attrs:
            if enqueued:
                return  # begun by a version that noted nothing
            study.set_user_attr(FIRST, self._first())
        for values, attributes in study.user_attrs[FIRST][enqueued:]:
            study.enqueue_trial(values, user_attrs=attributes)

    def assign(self, trial: optuna.Trial) -> tuple[Config, int]:
        """Suggest values and build the configuration."""
        return self.space.configure(self.space.suggest(trial)), self.space.study.seed

    def _first(self) -> list[tuple[dict[str, Any], dict[str, Any]]]:
        """Values and attributes of what is tried first, none twice."""
        values = self.space.values_of(self.space.base())
        first: list[tuple[dict[str, Any], dict[str, Any]]] = [] if values is None else [(values, {PAPER: True})]
        for trial in self.forked:
            held = {name: value for name, value in trial.params.items() if self.space.holds(name, value)}
            if held not in [values for values, _ in first]:
                first.append((held, {FORKED: trial.number}))
        return first

    def _require_same_numbers(self, study: optuna.Study) -> None:
        """Earlier versions took a range for whole as its ends were written, whatever its field: see Range."""
        trials = study.get_trials(deepcopy=False)
        if sum(trial.state.is_finished() for trial in trials) >= self.total:
            return
        for trial in trials:
            for name, recorded in trial.distributions.items():
                now = self.space.space.get(name)
                if isinstance(now, Range) and now.whole != isinstance(recorded, IntDistribution):
                    told = ("fractions", "whole numbers") if now.whole else ("whole numbers", "fractions")
                    raise BadStudy(
                        f"space.{name}: trial {trial.number} searched {told[0]}, as an earlier version read this "
                        f"range, and {told[1]} are searched now; expected a new study, under another --study name"
                    )
