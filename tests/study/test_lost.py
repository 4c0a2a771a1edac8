"""Trials that come to nothing on a node: whether the node or the trial is at fault. Neither Ray nor a training runs."""

import threading
from collections import Counter
from collections.abc import Callable
from itertools import islice
from pathlib import Path
from types import SimpleNamespace
from typing import Any, ClassVar

import pytest
from optuna.storages import InMemoryStorage
from optuna.trial import TrialState
from ray.exceptions import RayActorError
from ray.tune.result import NODE_IP
from ray.tune.search import Searcher

from core.config import to_dict
from core.errors import Halted, Overtaken
from study import execution, nodes
from study.deaths import PATIENCE
from study.folder import TableReference
from study.ledger import Ledger, open_study
from study.phases import resumable
from study.progress import Progress
from study.reading import parse_space
from study.search_source import SearchSource
from study.slots import Slots
from study.trainable import VALUE

TRIALS, EPOCHS = 4, 2
SPACE = parse_space(
    '[study]\ntrials = 4\n[fixed]\n"training.epochs" = 2\n[space]\n"loss.alpha" = { low = 0, high = 1 }\n', "tiny.toml"
)
GOOD, BAD = "10.0.0.1", "10.0.0.2"
COMPLETE, FAIL, RUNNING = TrialState.COMPLETE, TrialState.FAIL, TrialState.RUNNING


class _Killed(Exception):
    """The driver is."""


class _NoActors:
    """The part of Ray's manager that knows living actors."""

    _live_actors_to_ray_actors_resources: ClassVar[dict[Any, Any]] = {}


class Cluster:
    """In place of Tune: one trial after the other, each on the node that `place` says by its number and earlier tries.

    On the bad node every worker dies before it has trained an epoch, and so do those of guilty trials everywhere.
    begun, deaths: by trial. kill_at: the trial that the driver is killed at when it is asked for. nodes: whether each
    lives, as Ray tells.
    """

    def __init__(self, place: Callable[[int, int], str]) -> None:
        self.place, self.guilty, self.kill_at = place, set[int](), -1
        self.nodes = [False, True]
        self.begun, self.deaths = Counter[int](), Counter[int]()
        self.study = open_study(InMemoryStorage(), "search")

    def ledger(self) -> Ledger:
        return Ledger(self.study, SearchSource(SPACE, TRIALS), EPOCHS, 0)

    def call(self) -> str:
        """What one call of the command finds at its beginning."""
        ledger, table = self.ledger(), TableReference("nowhere", "")
        found = ledger.summary()
        execution.execute(
            ledger,
            train=table,
            probe=table,
            families=(),
            folder=Path("search"),
            attempts=Path("attempts"),
            slots=Slots(1, 0, 1),
            progress=Progress("search", TRIALS, 0, EPOCHS, to_dict(SPACE.base())),
            interrupted=threading.Event(),
        )
        return found

    def states(self) -> list[TrialState]:
        return [trial.state for trial in self.study.trials]

    def fit(self, searcher: Any, scheduler: Any, stop: Any) -> None:
        while not stop.stop_all() and (config := searcher.suggest("id")) != Searcher.FINISHED:
            number = config["number"]
            if number == self.kill_at:
                raise _Killed
            trial = SimpleNamespace(config=config, status="PENDING", PENDING="PENDING")
            node = self.place(number, self.begun[number])
            self.begun[number] += 1
            if number in self.guilty or node == BAD:
                self._lose(trial, node, searcher, scheduler)
            else:
                self._train(trial, node, EPOCHS, scheduler)
                searcher.on_trial_complete("id", {})

    def _train(self, trial: Any, node: str, last: int, scheduler: Any) -> None:
        known = self.study.trials[trial.config["number"]].intermediate_values
        for epoch in range(1, last + 1):
            result = {"epoch": epoch, VALUE: 0.5, "figures": "{}", "node": node, NODE_IP: node}
            scheduler.on_trial_result(None, trial, result | {"replayed": epoch in known})

    def _lose(self, trial: Any, node: str, searcher: Any, scheduler: Any) -> None:
        number, stopped = trial.config["number"], list[Any]()
        tune = SimpleNamespace(get_trials=lambda: [trial], stop_trial=stopped.append)
        known = max(self.study.trials[number].intermediate_values, default=0)
        while not stopped:
            self._train(trial, node, known, scheduler)
            self.deaths[number] += 1
            with scheduler.deaths._noticed(_NoActors, None, RayActorError(error_msg=f"It died.\n\tip: {node}")):
                scheduler.on_trial_error(tune, trial)
            scheduler.choose_trial_to_run(tune)
        searcher.on_trial_complete("id")


@pytest.fixture
def cluster_of(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Cluster]:
    def made(place: Callable[[int, int], str] = lambda number, tries: GOOD) -> Cluster:
        cluster = Cluster(place)

        class Tuner:
            def __init__(self, _: Any, tune_config: Any, run_config: Any) -> None:
                self.parts = tune_config.search_alg, tune_config.scheduler, run_config.stop

            def fit(self) -> None:
                cluster.fit(*self.parts)

        monkeypatch.setattr(execution.tune, "Tuner", Tuner)
        monkeypatch.setattr(nodes.ray, "nodes", lambda: [{"Alive": a, "Resources": {"CPU": 1}} for a in cluster.nodes])
        monkeypatch.setattr(execution.FIFOScheduler, "choose_trial_to_run", lambda *_: None)
        return cluster

    return made


def test_a_node_that_halts_the_study_costs_no_trial(cluster_of: Callable[..., Cluster]) -> None:
    cluster = cluster_of(lambda number, tries: GOOD if tries else BAD)
    with pytest.raises(Halted, match=f"node {BAD}: 3 trials in a row came to nothing there"):
        cluster.call()
    assert cluster.states() == [RUNNING] * 3
    cluster.begun[3] = 1  # the node was mended
    found = cluster.call()
    assert found.startswith("kept 0, resumed 3 (trial 0 at epoch 0, 1 at epoch 0, 2 at epoch 0), failed before 0")
    assert cluster.states() == [COMPLETE] * 4
    assert cluster.deaths == {0: PATIENCE, 1: PATIENCE, 2: PATIENCE}


def test_a_trial_fails_once_its_node_trains_another(cluster_of: Callable[..., Cluster]) -> None:
    cluster = cluster_of()
    cluster.guilty, cluster.kill_at = {0}, 2
    with pytest.raises(_Killed):
        cluster.call()
    assert cluster.states() == [FAIL, COMPLETE, RUNNING]
    assert cluster.study.trials[0].user_attrs["reason"] == "its worker died 4 times in epoch 1"
    assert cluster.deaths == {0: PATIENCE}


def test_a_trial_whose_node_trained_nothing_more_is_tried_again_before_the_end(
    cluster_of: Callable[..., Cluster],
) -> None:
    cluster = cluster_of(lambda number, tries: BAD if number == 1 and not tries else GOOD)
    cluster.guilty = {3}
    cluster.call()
    assert cluster.states() == [COMPLETE, COMPLETE, COMPLETE, FAIL]
    assert cluster.begun == {0: 1, 1: 2, 2: 1, 3: 2}
    assert cluster.deaths == {1: PATIENCE, 3: 2 * PATIENCE}


def test_trials_that_come_to_nothing_everywhere_come_to_an_end(cluster_of: Callable[..., Cluster]) -> None:
    cluster = cluster_of()
    cluster.guilty = set(range(TRIALS))
    states = []
    for _ in range(2):
        with pytest.raises(Halted):
            cluster.call()
        states.append(cluster.states())
    assert states == [[RUNNING] * 3, [FAIL, FAIL, RUNNING]]
    cluster.call()
    assert cluster.states() == [FAIL] * 4
    assert cluster.deaths == {0: 2 * PATIENCE, 1: 2 * PATIENCE, 2: 3 * PATIENCE, 3: 2 * PATIENCE}


def test_a_trial_in_doubt_is_asked_again_after_a_kill_but_not_for_ever(cluster_of: Callable[..., Cluster]) -> None:
    cluster = cluster_of()
    cluster.guilty, cluster.kill_at = {0}, 1
    states = []
    for _ in range(3):
        with pytest.raises(_Killed):
            cluster.call()
        states.append(cluster.states()[0])
    assert states == [RUNNING, FAIL, FAIL]
    assert cluster.deaths == {0: 2 * PATIENCE}


def test_an_epoch_in_between_makes_the_second_loss_a_first(cluster_of: Callable[..., Cluster]) -> None:
    cluster = cluster_of(lambda number, tries: BAD)
    for epoch in (1, 2):
        with pytest.raises(Halted):
            cluster.call()
        assert cluster.states() == [RUNNING] * 3
        if epoch == 1:
            for number in range(3):
                cluster.ledger().report(number, 1, 0.5, {})


def test_what_a_checkpoint_replays_does_not_speak_for_its_node(cluster_of: Callable[..., Cluster]) -> None:
    cluster = cluster_of(lambda number, tries: BAD)
    ledger = cluster.ledger()
    for assignment in islice(ledger.assignments(), 3):
        ledger.report(assignment.number, 1, 0.5, {})
    with pytest.raises(Halted, match=f"node {BAD}: 3 trials in a row"):
        cluster.call()
    assert cluster.states() == [RUNNING] * 3


def test_a_cluster_without_a_node_halts_the_study_instead_of_waiting_for_one(
    cluster_of: Callable[..., Cluster], monkeypatch: pytest.MonkeyPatch
) -> None:
    """As where the raylet of the one machine was killed."""
    monkeypatch.setattr(nodes, "LOOK", 0.0)

    def place(number: int, tries: int) -> str:
        cluster.nodes = [False, number < 1]
        return GOOD

    cluster = cluster_of(place)
    with pytest.raises(Halted, match="Ray has no node left: its raylet was killed"):
        cluster.call()
    assert cluster.states() == [COMPLETE, COMPLETE]


def test_a_study_that_another_driver_took_over_ends_with_one_sentence(
    cluster_of: Callable[..., Cluster], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    cluster = cluster_of()
    report = Ledger.report

    def overtaken(ledger: Ledger, number: int, epoch: int, *more: Any) -> bool:
        if number == 1:
            raise Overtaken("s3://bucket/runs/mine: another driver has written to this study")
        return report(ledger, number, epoch, *more)

    monkeypatch.setattr(Ledger, "report", overtaken)
    assert resumable(cluster.call) is None
    assert cluster.states() == [COMPLETE, RUNNING]
    said = capsys.readouterr()
    assert said.err == "s3://bucket/runs/mine: another driver has written to this study; stopping\n"
