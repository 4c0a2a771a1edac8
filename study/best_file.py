"""best.json as a search and an ablation write it: the winner, how it was chosen, and what core.train needs."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any

from core.config import Config, ScoreName, differences, to_dict
from core.durable import update_json
from study.folder import OBJECTIVE, OBJECTIVE_TEXT, Definition, training_name
from study.phases import Phases
from study.selection import Candidate

FORMAT = 1
REPLICATES = "replicates"


def write_best(
    phases: Phases,
    verdict: Mapping[str, Any],
    ranked: Sequence[Candidate],
    configs: Mapping[int, Config],
    seeds: list[int],
    score: ScoreName,
    controls: Mapping[str, Config],
    arms: Mapping[int, str] | None = None,
) -> None:
    """Write it, unless it holds this already.

    verdict: as plain data. ranked: the candidates, the winner first; configs: by their numbers. score: the slice score
    that the winner gets. arms: of an ablation, by the candidates' numbers; those after the winner's are its controls.
    """
    winner, *others = ranked
    config = replace(configs[winner.trial], score=score)
    content = {
        "format": FORMAT,
        "study": phases.folder.name,
        "objective": objective_told(phases.definition),
        "verdict": dict(verdict),
        "config": to_dict(config),
        "differences": differences(config),
        "controls": {name: to_dict(control) for name, control in controls.items()},
        "seeds": seeds,
        "checkpoints": _checkpoints(winner, seeds),
    }
    if arms:
        content["control_checkpoints"] = {arms[one.trial]: _checkpoints(one, seeds) for one in others}
    content["replicates"] = [
        {
            "trial": one.trial,
            **({"arm": arms[one.trial]} if arms else {}),
            "values": list(one.values),
            "interval": asdict(one.interval),
            "figures": list(one.figures),
            "config": to_dict(configs[one.trial]),
        }
        for one in ranked
    ]
    update_json(phases.folder.best, content | phases.described())


def objective_told(definition: Definition) -> dict[str, Any]:
    """The objective as plain data: its name, what it is, and the families that it averages over."""
    return {"name": OBJECTIVE, "text": OBJECTIVE_TEXT, "families": definition.judged_by()}


def _checkpoints(candidate: Candidate, seeds: Sequence[int]) -> dict[str, str]:
    """Where the trainings of a replicated configuration lie in the study's folder, by seed."""
    return {
        str(seed): f"{REPLICATES}/{training_name(number)}" for seed, number in zip(seeds, candidate.runs, strict=True)
    }
