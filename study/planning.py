"""What a study would do, told before anything is started or written: space, budget, objective, storage."""

from typing import NamedTuple

from core.config import Config, differences, flatten, to_dict
from core.families import FAMILIES
from core.presets import PRESETS
from study.arms import Ablation
from study.asha import Asha
from study.parameters import Choice, Range
from study.space import Space


class Line(NamedTuple):
    """A searched parameter in words. base: what the preset and [fixed] say, '' where it is another kind's."""

    name: str
    values: str
    when: str
    base: str


class Part(NamedTuple):
    """Trainings of one kind. least: epochs in all when early stopping does all it can; most: when it stops nothing."""

    name: str
    config: Config
    trainings: int
    epochs: int
    least: float
    most: int


class Plan(NamedTuple):
    """What would be tried. arms: what each arm of an ablation changes. rungs: epochs after which trials may stop.

    base_first: whether the space holds the preset's own choice, which is then the first trial.
    """

    preset: str
    departures: dict[str, object]
    lines: tuple[Line, ...]
    arms: dict[str, dict[str, object]]
    parts: tuple[Part, ...]
    rungs: tuple[int, ...]
    keeps: int
    seeds: tuple[int, ...]
    families: tuple[str, ...]
    controls: tuple[str, ...]
    base_first: bool


def plan_of_search(space: Space, trials: int | None) -> Plan:
    """trials: in all, None as the space says."""
    plan, base = space.study, space.base()
    epochs, count = base.training.epochs, trials or plan.trials
    rungs = tuple(Asha(plan.grace, plan.reduction).rungs(epochs))
    holds_base = space.values_of(base) is not None
    best = min(plan.top, count)
    # The preset's own choice may be among the best.
    least, again = best * plan.seeds, min(best + holds_base, count) * plan.seeds
    return Plan(
        space.preset,
        differences(base, PRESETS[space.preset]),
        lines(space),
        {},
        (
            Part("search", base, count, epochs, halved(count, epochs, rungs, plan.reduction), count * epochs),
            Part("replicates", base, again, epochs, least * epochs, again * epochs),
        ),
        rungs,
        plan.reduction,
        tuple(plan.replicate_seeds()),
        judged_by(space.trained()),
        tuple(space.controls),
        holds_base,
    )


def plan_of_ablation(ablation: Ablation) -> Plan:
    """Every arm in full under every seed, after its own search where it has one."""
    parts: list[Part] = []
    found: list[Line] = []
    for name, arm in ablation.arms.items():
        space, config = ablation.space(name), ablation.config(name)
        if arm.space:
            epochs = space.study.trials * ablation.epochs
            parts.append(Part(f"search-{name}", config, space.study.trials, ablation.epochs, epochs, epochs))
        full = len(ablation.seeds) * ablation.epochs
        parts.append(Part(name, config, len(ablation.seeds), ablation.epochs, full, full))
        found += [line._replace(name=f"arms.{name}.{line.name}") for line in lines(space)]
    return Plan(
        ablation.preset,
        dict(ablation.fixed),
        tuple(found),
        {
            name: ({"preset": arm.preset} if arm.preset else {}) | dict(arm.values)
            for name, arm in ablation.arms.items()
        },
        tuple(parts),
        (),
        1,
        tuple(ablation.seeds),
        judged_by(ablation.trained()),
        (),
        True,
    )


def lines(space: Space) -> tuple[Line, ...]:
    """Every searched parameter, in the order in which it is asked for."""
    at_base = flatten(to_dict(space.base()))
    return tuple(
        Line(
            name,
            _values(parameter),
            " and ".join(f"{other} is {' or '.join(map(str, allowed))}" for other, allowed in parameter.when.items()),
            str(at_base.get(name, "")),
        )
        for name, parameter in space.space.items()
    )


def halved(trials: int, epochs: int, rungs: tuple[int, ...], reduction: int) -> float:
    """Epochs of a search in which one trial in `reduction`, and at least one, goes on from each rung."""
    total, running, before = 0.0, float(trials), 0
    for rung in (*rungs, epochs):
        total += running * (rung - before)
        running, before = max(running / reduction, 1.0), rung
    return total


def judged_by(trained: tuple[str, ...]) -> tuple[str, ...]:
    """The families of a probe that the objective averages over, when trials may train on these transforms."""
    return tuple(name for name, one in FAMILIES.items() if one.held_out and not set(one.like) & set(trained))


def _values(parameter: Range | Choice) -> str:
    if isinstance(parameter, Choice):
        return ", ".join(map(str, parameter.choices))
    whole = ", whole" if parameter.whole else ""
    return f"{parameter.low:g} to {parameter.high:g}{whole}{', log' if parameter.log else ''}"
