"""What the page's script knows of each trial, and where a reader chooses one."""

from typing import Any

from core.config import Config, flatten, to_dict
from core.sample_maps import FILE
from study.figures.samples import BEST, Samples, draw_map, draw_slice, samples_info
from study.page.html import Html, data, join, tag
from study.page.words import STATES
from study.records import StudyRecord, TrialRecord, best_first

_DIGITS = 6
COLUMNS = (
    "number", "state", "shape", "value", "epochs", "seconds", "seed", "node", "cpus", "gpus", "reason", "forced",
    "is_base", "known", "curve", "settings", "without",
)  # fmt: skip


def choice(record: StudyRecord, winner: int | None) -> Html:
    """The list of trials, the panel that tells of one, and the data behind both."""
    words = (
        "Choosing one here, in a table or in a figure marks it in every figure and tells all of it. Escape ends that."
    )
    name = tag("label", "Trial ", tag("select", class_="trials"))
    return join(
        tag("div", name, tag("span", words), class_="picker"),
        tag("aside", class_="trial", hidden=True, aria_live="polite", aria_label="The chosen trial"),
        data(trials_data(record, winner), class_="trials"),
    )


def trial_button(number: int) -> Html:
    """A trial's number in a table, by which it can be chosen."""
    return tag("button", str(number), type="button", data_trial=number, aria_pressed="false")


def trials_data(record: StudyRecord, winner: int | None) -> dict[str, Any]:
    """Every trial as a row of COLUMNS.

    names: settings in which any trial departs from `base`, which is the whole configuration that they start from.
    settings: (index into names, value) of a trial's departures; without: indices of names that it does not have.
    curve: (epoch, objective) pairs. order: numbers, the best first, those without a value last.
    maps: see `_maps`.
    """
    base = flatten(to_dict(record.space.base() if record.space else Config()))
    names: dict[str, int] = {}
    rows = [_row(trial, base, names) for trial in record.trials]
    ranked = [trial.number for trial in best_first(record.trials)]
    unscored = [trial.number for trial in record.trials if trial.value is None]
    return {
        "budget": record.epochs,
        "winner": winner,
        "base": base,
        "names": list(names),
        "columns": COLUMNS,
        "trials": rows,
        "order": [*ranked, *unscored],
        "maps": _maps(samples_info(record, winner)),
    }


def _maps(samples: Samples) -> dict[str, Any]:
    """slices: of the probe, by row, in the order to show them. of: the pictures of each trial that is shown, by row."""
    slices = [
        {"row": row, "family": one.family, "subject": one.subject, "judges": one.judges, "picture": draw_slice(one)}
        for row, one in samples.slices.items()
    ]
    of = {
        number: {int(row): draw_map(samples.slices[int(row)], heat) for row, heat in zip(*maps, strict=True)}
        for number, maps in samples.maps.items()
    }
    return {"slices": slices, "of": of, "best": BEST, "file": FILE, "missing": samples.missing}


def _row(trial: TrialRecord, base: dict[str, Any], names: dict[str, int]) -> list[Any]:
    config = flatten(trial.config) if trial.config is not None else dict(trial.params)
    settings = [
        (names.setdefault(path, len(names)), value)
        for path, value in config.items()
        if path not in base or base[path] != value
    ]
    missing = (path for path in base if path not in config) if trial.config is not None else ()
    without = [names.setdefault(path, len(names)) for path in missing]
    forced = sum(figures.get("forced", 0) for figures in trial.figures.values())
    curve = [(epoch, _rounded(value)) for epoch, value in trial.curve.items()]
    return [
        trial.number, STATES[trial.state], trial.shape, _rounded(trial.value), trial.epochs, round(trial.seconds, 1),
        trial.seed, trial.node, trial.cpus, trial.gpus, trial.reason, int(forced), trial.is_base,
        trial.config is not None, curve, settings, without,
    ]  # fmt: skip


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, _DIGITS)
