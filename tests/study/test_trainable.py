"""How a trial ends on its worker: what is its configuration's fault, what is not, and that both are told once."""

import errno
import os
import resource
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from ray import tune

from core.config import Config, override, to_dict
from core.errors import BadStorage, BadTable, Halted, HelperDied, TrainingFailed
from core.probes import build_probe
from core.sample_maps import FILE, read_sample_maps, rows_to_sample
from core.slices.table import SliceTable, open_table
from study import trainable
from study.trainable import DYING, FAILED, HALTED, VALUE, epochs, run_trial

ENDS = [
    (TrainingFailed("the loss of epoch 2 is nan; expected a finite number"), FAILED, "the loss of epoch 2 is nan"),
    (MemoryError(), FAILED, "out of memory: MemoryError"),
    (
        RuntimeError("[alloc_cpu.cpp:1] can't allocate memory: you tried"),
        FAILED,
        "out of memory: [alloc_cpu.cpp:1] can",
    ),
    (OSError(errno.ENOMEM, "Cannot allocate memory"), FAILED, "out of memory: [Errno 12] Cannot allocate memory"),
    (torch.OutOfMemoryError("CUDA out of memory. Tried 2 GiB\nmore"), FAILED, "Tried 2 GiB; --gpus-per-trial 1 gives"),
    (RuntimeError("shapes do not match"), FAILED, "RuntimeError: shapes do not match (test_trainable.py:"),
    (OSError(errno.ENOSPC, "No space left on device", "/runs/a"), HALTED, "/runs/a: No space left on device"),
    (OSError(errno.ESTALE, "Stale file handle", "/runs/a"), HALTED, "/runs/a: Stale file handle"),
    (OSError(errno.ENOTCONN, "Transport endpoint is not connected", "/runs/a"), HALTED, "/runs/a: Transport endpoint"),
    (OSError(errno.ESHUTDOWN, "Cannot send after transport endpoint shutdown"), HALTED, "storage: Cannot send after"),
    (BadStorage("s3://bucket/runs: no answer"), HALTED, "s3://bucket/runs: no answer"),
    (Halted("node gpu7: torch sees no GPU"), HALTED, "node gpu7: torch sees no GPU"),
    (BadTable("/shared/train.arrow: no such slice table"), HALTED, f"node {os.uname().nodename}: /shared/train.arrow"),
    (OSError(errno.EINVAL, "Invalid argument"), FAILED, "OSError: [Errno 22] Invalid argument"),
]


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    monkeypatch.setattr(tune, "report", found.append)
    return found


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (HelperDied("a process was killed"), []),
        (
            torch.AcceleratorError("CUDA error: unspecified launch failure\nmore"),
            ["CUDA error: unspecified launch fail"],
        ),
    ],
)
def test_what_later_trainings_of_a_process_would_die_of_is_its_death(
    error: Exception, words: list[str], told: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(_task: dict[str, Any]) -> Iterator[dict[str, Any]]:
        yield {"epoch": 1, VALUE: 0.5}
        raise error

    ended: list[tuple[int, int]] = []
    monkeypatch.setattr(trainable, "epochs", broken)
    monkeypatch.setattr(os, "kill", lambda *what: ended.append(what))
    run_trial({})
    assert ended == [(os.getpid(), signal.SIGKILL)]
    assert told[0] == {"epoch": 1, VALUE: 0.5}
    assert len(told) == 1 + len(words)
    for result, part in zip(told[1:], words, strict=True):
        assert list(result) == [DYING]
        assert part in result[DYING]
        assert "more" not in result[DYING]


@pytest.mark.parametrize(("error", "kind", "words"), ENDS, ids=[f"{kind}-{words[:20]}" for _, kind, words in ENDS])
def test_an_error_is_told_once_after_the_epochs_before_it(
    error: Exception, kind: str, words: str, told: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(_task: dict[str, Any]) -> Iterator[dict[str, Any]]:
        yield {"epoch": 1, VALUE: 0.5}
        raise error

    monkeypatch.setattr(trainable, "epochs", broken)
    run_trial({"gpu": 0.5})
    assert told[0] == {"epoch": 1, VALUE: 0.5}
    assert len(told) == 2
    assert list(told[1]) == [kind]
    assert words in told[1][kind]
    assert "\n" not in told[1][kind]


@pytest.fixture
def task(healthy: SliceTable, tmp_path: Path) -> dict[str, Any]:
    probe = build_probe(healthy, tmp_path / "probe.arrow", per_family=1, clean=2)
    config = override(Config(), {"detector.base": 2, "detector.depth": 2, "training.epochs": 2})
    tables = {role: (str(table.path), table.digest) for role, table in (("train", healthy), ("probe", probe))}
    plain = {"number": 0, "config": to_dict(config), "seed": 0, "folder": str(tmp_path / "trial")}
    return (
        plain | tables | {"cache": None, "threads": 1, "gpu": 0, "memory": None, "families": ["blob-grey", "foci-grey"]}
    )


def test_a_trial_keeps_the_maps_of_its_last_epoch(task: dict[str, Any]) -> None:
    path = Path(task["folder"]) / FILE
    probe = open_table(Path(task["probe"][0]))
    seen = []
    for _ in epochs(task):
        kept = read_sample_maps(path)
        assert kept is not None
        assert np.array_equal(kept.rows, rows_to_sample(probe))
        assert kept.heat.shape == (len(kept.rows), 32, 32)
        seen.append(kept.heat)
    assert not np.array_equal(*seen)
    list(epochs(task))  # a worker that takes over finds every epoch done, and the maps stay
    again = read_sample_maps(path)
    assert again is not None
    assert np.array_equal(again.heat, seen[-1])


def test_a_trial_run_again_tells_the_same_epochs(task: dict[str, Any]) -> None:
    """As a worker does that takes over from a killed one: those of the checkpoint come first, unchanged."""
    first = [(result["epoch"], result[VALUE]) for result in epochs(task)]
    assert [number for number, _ in first] == [1, 2]
    assert [(result["epoch"], result[VALUE]) for result in epochs(task)] == first


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux limits what a process allocates")
def test_a_training_that_wants_more_than_its_memory_fails_and_the_next_in_its_process_does_not(
    task: dict[str, Any], told: list[dict[str, Any]]
) -> None:
    small = task["config"]
    large = small | {"detector": small["detector"] | {"base": 256, "depth": 5}}
    before = resource.getrlimit(resource.RLIMIT_DATA)
    try:
        run_trial(task | {"memory": 2**30, "config": large, "folder": task["folder"] + "-large"})
        run_trial(task | {"memory": 2**30})
    finally:
        resource.setrlimit(resource.RLIMIT_DATA, before)
    assert told[0][FAILED].startswith("out of memory: ")
    assert [result["epoch"] for result in told[1:]] == [1, 2]


def test_a_nodes_cache_changes_nothing(task: dict[str, Any], tmp_path: Path) -> None:
    plain = [result[VALUE] for result in epochs(task)]
    cached = task | {"cache": str(tmp_path / "cache"), "folder": str(tmp_path / "other")}
    assert [result[VALUE] for result in epochs(cached)] == plain
    assert len(list((tmp_path / "cache").glob("*.arrow"))) == 2


class _Chosen(Exception):
    """Ends a training that would begin."""


def test_a_trial_without_a_gpu_stays_off_it(task: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def choose(name: str) -> None:
        asked.append(name)
        raise _Chosen

    monkeypatch.setattr(trainable, "choose_device", choose)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    for gpu in (0, 0.25):
        with pytest.raises(_Chosen):
            next(epochs(task | {"gpu": gpu}))
    assert asked == ["cpu", "cuda"]


def test_a_node_whose_gpu_is_gone_trains_nothing_on_its_cpu(
    task: dict[str, Any], told: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    run_trial(task | {"gpu": 0.25})
    assert told == [
        {HALTED: f"node {os.uname().nodename}: torch {torch.__version__} sees no GPU, of which a trial has a share"}
    ]
