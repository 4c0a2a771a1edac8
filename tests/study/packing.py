"""Trials that take a quarter of a GPU, and then none of it, on one logical GPU. Prints what their workers saw,
and how many others there were.

A process of its own, so that Ray's state and environment stay out of the tests'.
"""

import json
import os
import sys
import threading
import time
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import ray
from ray import tune

from core.config import to_dict
from study import cluster, execution
from study.folder import TableReference
from study.ledger import Ledger, open_study
from study.progress import Progress
from study.reading import parse_space
from study.search_source import SearchSource
from tests.programs import SPACE, descendants


def seen(task: dict[str, Any]) -> None:
    """Instead of a training: wait until four are at it, and tell when that was and which GPUs there are."""
    room = Path(task["folder"]).parent
    room.mkdir(parents=True, exist_ok=True)
    began = time.monotonic()
    (room / f"{task['number']}.began").touch()
    while task["gpu"] and time.monotonic() < began + 60 and len(list(room.glob("*.began"))) < 4:
        time.sleep(0.01)
    time.sleep(0.2)
    spent = {"began": began, "ended": time.monotonic(), "gpus": os.environ.get("CUDA_VISIBLE_DEVICES")}
    tune.report({"epoch": 1, "objective": 0.5, "figures": json.dumps(spent), "node": "here", "replayed": False})


def carry_out(slots: execution.Slots, trials: int, root: Path) -> list[dict[str, Any]]:
    """What the trials of a study told."""
    space = parse_space(SPACE.replace('"training.epochs" = 2', '"training.epochs" = 1'), "tiny.toml")
    study = open_study(root / "journal.log", "search")
    ledger = Ledger(study, SearchSource(space, trials), 1, 0)
    table = TableReference("nowhere", "none")
    progress = Progress("search", trials, 0, 1, to_dict(space.base()))
    execution.execute(
        ledger, train=table, probe=table, families=[], folder=root / "search", attempts=root / "attempts", slots=slots,
        progress=progress, interrupted=threading.Event(),
    )  # fmt: skip
    return [trial.user_attrs["epoch 1"] for trial in study.trials]


if __name__ == "__main__":
    ray.init = partial(ray.init, num_cpus=8, num_gpus=1)
    execution.run_trial = seen
    with cluster.Cluster(1, 0.25, None, None, []) as joined:
        quarters = joined.slots
        found = {
            "count": quarters.count,
            "quarters": carry_out(quarters, 8, Path(sys.argv[1]) / "quarters"),
            "unused": sum(command.startswith(b"ray::IDLE") for command in descendants(os.getpid()).values()),
            "none": carry_out(replace(quarters, gpus=0.0, count=2), 2, Path(sys.argv[1]) / "none"),
        }
    print(json.dumps(found))
