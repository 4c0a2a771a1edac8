"""Arms that cannot be trained: the others are compared, and it is said which are left out and why."""

import json
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import pandas as pd
import pytest
from stored_studies import SPACE, Stored

from core.config import Config
from core.errors import BadStudy
from study.arms import parse_ablation
from study.comparing import JUDGED, Comparison
from study.folder import StudyFolder
from study.ledger import Assignment, Ledger, open_study
from study.page.document import page
from study.phases import Phases
from study.reading import parse_space
from study.records import read_study
from study.searching import Search
from study.space import Space

ARMS = """
[study]
seeds = 3
trials = 2
[fixed]
"training.epochs" = 1
"detector.base" = 2
"detector.depth" = 2
[arms.brush]
"loss.alpha" = 0.1
[arms.circle]
"synthesis.mask.kind" = "circle"
[arms.square]
"synthesis.mask.kind" = "square"
[arms.tuned]
"synthesis.mask.kind" = "polygon"
[arms.tuned.space]
"loss.alpha" = { low = 0.0, high = 1.0 }
"""
Fails = Callable[[str, Assignment], bool]


@dataclass(frozen=True)
class Pretended(Phases):
    """Phases whose trainings take no time. fails: which of them fail, by phase and assignment. value: the objective.

    judged: the families that each phase was given.
    """

    fails: Fails = lambda _phase, _assignment: False
    value: Callable[[Assignment], float] = lambda one: 0.2 + 0.1 * math.sin(one.number)
    judged: dict[str, Sequence[str]] = field(default_factory=dict)

    def carry_out(self, phase: str, ledger: Ledger, base: Config, families: Sequence[str] = ()) -> bool:
        self.judged[phase] = families
        for one in ledger.assignments():
            if self.fails(phase, one):
                ledger.fail(one.number, "the loss of epoch 1 is nan")
                continue
            figures = {"sample.mean.auroc": 0.5, "evaluation_seconds": 1.0, "seconds": 1.0}
            figures |= {f"sample.{name}.auroc": 0.5 for name in ("smooth_max", "foreground_mean", "foreground_top")}
            figures |= {"sample.top.auroc": 0.6}
            ledger.note(one.number, cpus=3, gpus=0.5)
            ledger.report(one.number, 1, self.value(one), figures)
            ledger.finish(one.number)
        return True


@pytest.fixture
def comparing(tmp_path: Path, space: Space) -> Callable[[Fails], Comparison]:
    stored = Stored(tmp_path, space)
    # Of the probe's two families that no default trains on, another arm is said to train on one.
    definition = replace(stored.folder.definition(), space=ARMS, families=("foci-grey",))
    folder = StudyFolder(tmp_path / "runs" / "arms")
    folder.define(definition)

    def make(fails: Fails) -> Comparison:
        return Comparison(Pretended(folder, definition, None, (), fails), parse_ablation(ARMS, {}, "arms")[0])  # type: ignore[arg-type]

    return make


def kind(one: Assignment) -> str:
    return str(one.config["synthesis"]["mask"]["kind"])


def test_an_arm_that_fails_under_one_seed_is_left_out(comparing: Callable[[Fails], Comparison]) -> None:
    comparison = comparing(lambda phase, one: phase == "replicates" and kind(one) == "circle" and one.seed == 1001)
    found = comparison.run()
    assert found is not None
    assert set(found["arms"]) == {"brush", "square", "tuned"}
    assert found["left_out"] == {
        "circle": "it did not finish under every seed; 1 of 3 failed, the last by: the loss of epoch 1 is nan"
    }
    folder = comparison.phases.folder
    assert json.loads(folder.ablation.read_text())["left_out"] == found["left_out"]
    best = json.loads(folder.best.read_text())
    assert "circle" not in best["controls"]
    assert {config["score"] for config in (best["config"], *best["controls"].values())} == {"top"}  # the best of five
    assert sorted(pd.read_parquet(folder.trials)["seed"]) == sorted([1000, 1001, 1002] * 4)
    assert found["searched_trials"] == 2
    text = page(read_study(folder))
    assert "circle is left out: it did not finish under every seed" in text
    assert "arms under every seed" in text
    assert comparison.run() == found  # the same command changes nothing
    cost = found["arms"]["brush"]["cost"]
    assert (cost["core_seconds"], cost["gpu_seconds"]) == (6, 1)  # two seconds for each seed
    assert cost["slices_per_second"] == len(comparison.phases.definition.probe.open())


@pytest.mark.parametrize(("spread", "clear", "not_apart"), [(0.0289, False, [1, 2, 3]), (0.005, True, [])])
def test_best_json_calls_clear_what_the_comparison_does(
    comparing: Callable[[Fails], Comparison], spread: float, clear: bool, not_apart: list[int]
) -> None:
    """At the larger spread brush leads each by t = 6: p is 0.027, and after Holm's correction 0.08."""

    def value(one: Assignment) -> float:
        levels = {"circle": 0.40, "square": 0.39, "polygon": 0.38}
        return levels.get(kind(one), 0.5 + spread * (one.seed - 1001))

    comparison = comparing(lambda *_: False)
    comparison.phases = replace(comparison.phases, value=value)  # type: ignore[call-arg]
    found = comparison.run()
    assert found is not None
    told = json.loads(comparison.phases.folder.best.read_text())["verdict"]
    assert (told["arm"], told["clear"], told["not_apart"]) == ("brush", clear, not_apart)
    assert told["difference"]["low"] > 0
    assert found["verdict"].startswith("brush is clearly best" if clear else "No clear winner: brush")


def test_an_arms_search_is_judged_by_what_it_began_with(comparing: Callable[[Fails], Comparison]) -> None:
    """By all that this arm does not train on; a search of an earlier version by what no arm trains on, to its end."""
    comparison = comparing(lambda *_: False)
    for _ in range(2):
        found = comparison.run()
        assert found is not None
        assert found["arms"]["tuned"]["searched_by"] == ["ellipse-swell", "foci-grey"]
        assert found["arms"]["brush"]["searched_by"] == []
    judged = comparison.phases.judged  # type: ignore[attr-defined]
    assert judged == {"search-tuned": ["ellipse-swell", "foci-grey"], "replicates": ()}
    storage = comparison.phases.storage
    open_study(storage.open(), storage.named("search-tuned")).set_user_attr(JUDGED, None)
    found = comparison.run()
    assert found is not None
    assert found["arms"]["tuned"]["searched_by"] == ["foci-grey"]


def test_an_arm_whose_search_found_nothing_is_left_out(comparing: Callable[[Fails], Comparison]) -> None:
    comparison = comparing(lambda phase, _: phase == "search-tuned")
    found = comparison.run()
    assert found is not None
    assert set(found["arms"]) == {"brush", "circle", "square"}
    reason = "no trial of its search was scored; 2 of 2 failed, the last by: the loss of epoch 1 is nan"
    assert found["left_out"] == {"tuned": reason}
    text = page(read_study(comparison.phases.folder))
    assert reason in text
    assert "2 trainings failed" in text
    assert "search of tuned" in text


def test_one_arm_alone_is_no_comparison(comparing: Callable[[Fails], Comparison]) -> None:
    with pytest.raises(BadStudy, match=r"fewer than two arms are left to compare \(.*circle: it did not finish"):
        comparing(lambda phase, one: phase == "replicates" and kind(one) != "brush").run()


def test_two_arms_are_a_comparison(comparing: Callable[[Fails], Comparison]) -> None:
    found = comparing(lambda phase, one: phase == "replicates" and kind(one) in ("circle", "polygon")).run()
    assert found is not None
    assert set(found["arms"]) == {"brush", "square"}


def test_a_search_tells_which_of_its_best_failed_under_a_seed(tmp_path: Path) -> None:
    text = SPACE.replace('"training.epochs" = 4', '"training.epochs" = 1').replace("trials = 9", "trials = 4")
    folder = StudyFolder(tmp_path / "runs" / "failing")
    folder.define(replace(Stored(tmp_path, parse_space(SPACE, "space")).folder.definition(), space=text))
    phases = Pretended(
        folder, folder.definition(), None, (), lambda phase, one: phase == "replicates" and not one.number
    )  # type: ignore[arg-type]
    verdict = Search(phases, parse_space(text, "space")).run()
    assert verdict is not None
    # The best of the search, which is asked first under each seed.
    assert verdict.sentence.endswith(" Left out, as a replicate failed: trial 2.")
    assert 2 not in [one.trial for one in verdict.candidates]


def test_what_failed_under_a_seed_has_no_part_in_the_lead(tmp_path: Path) -> None:
    """Two seeds of it are left, far apart: their interval includes 0, and the verdict is clear all the same."""
    text = SPACE.replace('"training.epochs" = 4', '"training.epochs" = 1').replace("top = 2", "top = 3")
    folder = StudyFolder(tmp_path / "runs" / "failing")
    folder.define(replace(Stored(tmp_path, parse_space(SPACE, "space")).folder.definition(), space=text))
    failing: list[float] = []

    def alpha(one: Assignment) -> float:
        return float(one.config["loss"]["alpha"])

    def fails(phase: str, one: Assignment) -> bool:
        if phase == "replicates" and not one.number:
            failing.append(alpha(one))
        return phase == "replicates" and not one.number

    def value(one: Assignment) -> float:
        return 0.2 + 0.3 * alpha(one) + 0.001 * one.number + (0.3 * (one.seed - 1001) if alpha(one) in failing else 0)

    phases = Pretended(folder, folder.definition(), None, (), fails, value)  # type: ignore[arg-type]
    verdict = Search(phases, parse_space(text, "space")).run()
    assert verdict is not None
    assert verdict.clear
    (left_out,) = {one.params["trial"] for one in read_study(folder).replicates} - {
        one.trial for one in verdict.candidates
    }
    shown = page(read_study(folder))
    assert "lies above 0 for every other configuration that finished under every seed: the lead is clear." in shown
    assert f"Shown over fewer seeds: trial {left_out}." in shown
