"""Which deaths of workers end a trial: those that it caused itself, and those without end."""

import threading
from pathlib import Path
from types import SimpleNamespace

import pytest
from ray.air.execution._internal import RayActorManager
from ray.exceptions import ActorDiedError, OutOfMemoryError, RayActorError
from ray.tune.execution import tune_controller
from ray.tune.schedulers import TrialScheduler

from core.config import to_dict
from study.deaths import CROWDED, LOST, PATIENCE, Deaths
from study.execution import _Halt, _LedgerScheduler
from study.ledger import Ledger, open_study
from study.progress import Progress
from study.reading import parse_space
from study.search_source import SearchSource
from study.trainable import DYING, VALUE

SAID = """1 worker(s) were killed due to the node running low on memory. Memory on the node (IP: 10.0.0.1, ID: ab) was \
9.00GB used / 10.00GB limit (0.9)
Considered workers: [
Selected to kill: (Actor(aa01): job ID=01, pid=7, actual memory used=0.40GB, worker ID=2b)
(Actor(bb02): job ID=01, pid=8, actual memory used=7.50GB, worker ID=3c)
]"""
ALIKE = SAID.replace("=7.50GB", "=0.50GB")  # others filled this node
STARTING = SAID.replace("Actor(aa01)", "Task").replace(
    "(Actor(bb02): job ID=01, pid=8, actual memory used=7.50GB, worker ID=3c)\n", ""
)
SHORT = "1 worker(s) were killed."
LARGE, SMALL = "bb02", "aa01"
KILLED = ActorDiedError()


class _Manager:
    """The part of Ray's that knows living actors; every one is called `name`."""

    def __init__(self, name: str) -> None:
        handle = type("Handle", (), {"_actor_id": bytes.fromhex(name)})()
        self._live_actors_to_ray_actors_resources = {None: (handle, None)}


def die(deaths: Deaths, name: str, error: Exception, epoch: int = 0, told: int = 1) -> str | None:
    with deaths._noticed(_Manager(name), None, error):
        return [deaths.why_to_give_up(0, epoch) for _ in range(told)][-1]


def test_what_fills_its_node_twice_is_out_of_memory() -> None:
    deaths = Deaths()
    assert die(deaths, LARGE, OutOfMemoryError(SAID), told=2) is None
    assert die(deaths, LARGE, OutOfMemoryError(SAID)) == (
        "out of memory: its node used 9.00 of 10.00 GB, 7.5 GB of it this trial"
    )


def test_an_epoch_between_two_deaths_makes_them_two_beginnings() -> None:
    deaths = Deaths()
    assert [die(deaths, LARGE, OutOfMemoryError(SAID), epoch) for epoch in range(9)] == [None] * 9
    assert [die(deaths, LARGE, KILLED, epoch) for epoch in range(9)] == [None] * 9


@pytest.mark.parametrize(("said", "name"), [(SAID, SMALL), (ALIKE, SMALL), (ALIKE, LARGE), (STARTING, SMALL)])
def test_memory_that_others_took_is_no_fault(said: str, name: str) -> None:
    deaths = Deaths()
    assert [die(deaths, name, OutOfMemoryError(said)) for _ in range(9)] == [None] * 9


def test_memory_that_others_hold_for_good_ends_a_trial_and_then_its_node() -> None:
    """Or a trial beside a program that has half of the memory would be started again without end."""
    deaths = Deaths()
    for number in range(LOST):
        for _ in range(CROWDED):
            assert deaths.bad_node() is None
            with deaths._noticed(_Manager(SMALL), None, OutOfMemoryError(ALIKE)):
                reasons = [deaths.why_to_give_up(number, 2) for _ in range(2)]
                bad = deaths.bad_node()
        assert reasons[0] == (
            "its worker died 20 times in epoch 3, at last because its node used 9.00 of 10.00 GB, 0.4 GB of it this "
            "trial; free the node of other programs, or run fewer trials at a time or smaller batches"
        )
        assert deaths.is_in_doubt(number)
    assert bad is not None
    assert bad.startswith(
        "node 10.0.0.1: 3 trials in a row came to nothing there, the last as its worker died 20 times"
    )
    # Once the others have gone, what they crowded out is not blamed, as a trial would be whose node trains another.
    assert deaths.lives("10.0.0.1") == {}
    assert all(deaths.is_in_doubt(number) for number in range(LOST))
    assert deaths.begun_anew() == list(range(LOST))
    assert not any(deaths.is_in_doubt(number) for number in range(LOST))


@pytest.mark.parametrize("error", [KILLED, OutOfMemoryError(SHORT)])
def test_deaths_without_an_epoch_come_to_an_end(error: Exception) -> None:
    deaths = Deaths()
    assert [die(deaths, LARGE, error, 4) for _ in range(PATIENCE - 1)] == [None] * (PATIENCE - 1)
    reason = die(deaths, LARGE, error, 4)
    assert reason is not None
    assert reason.startswith("its worker died 4 times in epoch 5")


def test_a_death_that_was_foretold_is_told_with_its_reason() -> None:
    deaths = Deaths()
    for _ in range(PATIENCE):
        deaths.foretold(0, "gpu7 told: CUDA error: unknown error")
        reason = die(deaths, LARGE, KILLED)
    assert reason == "its worker died 4 times in epoch 1, at last because gpu7 told: CUDA error: unknown error"
    deaths.foretold(0, "gpu7 told: CUDA error: unknown error")
    assert die(deaths, LARGE, KILLED, 1) is None
    for _ in range(PATIENCE - 1):
        reason = die(deaths, LARGE, KILLED, 1)
    assert reason == "its worker died 4 times in epoch 2"  # of what the last one died, nobody knows


def test_a_node_on_which_trials_come_to_nothing_in_a_row_is_bad() -> None:
    bad, good = (
        RayActorError(error_msg=f"The actor died.\n\tpid: 7\n\tip: 10.0.0.{n}\nIts worker has died.") for n in (7, 8)
    )
    missing = ValueError("ray::run() (pid=9, ip=10.0.0.7, actor_id=ab)\nModuleNotFoundError: No module named 'cv2'")
    deaths = Deaths()

    def lose(number: int, error: Exception) -> str | None:
        for _ in range(PATIENCE):
            with deaths._noticed(_Manager(LARGE), None, error):
                for _ in range(2):  # Tune tells some deaths twice
                    deaths.why_to_give_up(number, 0)
                found = deaths.bad_node()
        return found

    assert [lose(0, bad), lose(1, missing), lose(2, good)] == [None] * 3
    deaths.lives("10.0.0.8")
    assert lose(3, missing) == (
        "node 10.0.0.7: 3 trials in a row came to nothing there, the last as its worker died 4 times in epoch 1"
    )
    assert [lose(4, good), lose(5, good)] == [None] * 2
    deaths.lives("10.0.0.7")
    assert lose(6, bad) is None
    assert [lose(number, KILLED) for number in range(7, 12)] == [None] * 5  # nobody knows where


def test_last_words_are_no_epoch(tmp_path: Path) -> None:
    space = parse_space('[study]\ntrials = 1\n[space]\n"loss.alpha" = { low = 0, high = 1 }\n', "tiny.toml")
    ledger = Ledger(open_study(tmp_path / "journal.log", "search"), SearchSource(space, 1), 10, 0)
    number = next(ledger.assignments()).number
    deaths = Deaths()
    progress = Progress("search", 1, 0, 10, to_dict(space.base()))
    scheduler = _LedgerScheduler(ledger, progress, _Halt(threading.Event()), deaths)
    trial = SimpleNamespace(config={"number": number})
    for _ in range(PATIENCE):
        assert scheduler.on_trial_result(None, trial, {DYING: "gpu7 told: CUDA error"}) == TrialScheduler.CONTINUE
        with deaths._noticed(_Manager(LARGE), None, KILLED):
            scheduler.on_trial_error(None, trial)
    assert ledger.epochs_of(number) == 0
    assert deaths.given_up == {number: "its worker died 4 times in epoch 1, at last because gpu7 told: CUDA error"}


def test_records_that_cannot_be_read_halt_a_study(tmp_path: Path) -> None:
    """Its folder was moved while trials ran: what Tune tells next, an epoch or a death, is where that is seen."""
    space = parse_space('[study]\ntrials = 2\n[space]\n"loss.alpha" = { low = 0, high = 1 }\n', "tiny.toml")
    journal = tmp_path / "study" / "journal.log"
    ledger = Ledger(open_study(journal, "search"), SearchSource(space, 2), 10, 0)
    first, second = [SimpleNamespace(config={"number": one.number}) for one in ledger.assignments()]
    journal.parent.rename(tmp_path / "elsewhere")
    epoch = {"epoch": 1, VALUE: 0.5, "figures": "{}", "replayed": False}
    halts = [_Halt(threading.Event()) for _ in range(2)]
    schedulers = [
        _LedgerScheduler(ledger, Progress("search", 2, 0, 10, to_dict(space.base())), halt, Deaths()) for halt in halts
    ]
    assert schedulers[0].on_trial_result(None, first, epoch) == TrialScheduler.CONTINUE
    schedulers[1].on_trial_error(None, second)
    for halt in halts:
        assert halt.reason == f"{journal}: is gone, as when its folder was moved or deleted"
        assert halt.interrupted.is_set()
    assert not journal.parent.exists()


def test_tune_is_left_as_it_was() -> None:
    with Deaths().told_by_tune():
        assert tune_controller.RayActorManager is not RayActorManager
    assert tune_controller.RayActorManager is RayActorManager
