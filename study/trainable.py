"""What runs on a worker: one training, epoch by epoch, each scored on the probe and reported."""

import json
import os
import signal
import time
import traceback
from functools import cache
from pathlib import Path
from typing import Any

import torch
from ray import tune

from core.config import from_dict
from core.device import choose_device, uses_bf16
from core.errors import BadStorage, BadTable, Halted, HelperDied, StudyError
from core.evaluation import evaluate, objective, scorer_of
from core.mirror import place
from core.sample_maps import FILE as SAMPLE_MAPS
from core.sample_maps import rows_to_sample, write_sample_maps
from core.slices.cache import open_cached
from core.slices.table import SliceTable
from core.training import train
from study.memory import lacking, limit

VALUE = "objective"
FAILED = "failed"
HALTED = "halted"
DYING = "dying"


def run_trial(task: dict[str, Any]) -> None:
    """Train and report. task: assignment, folder, the tables' paths and digests, the node's cache of them or None, and
    the memory that it may take or None, as plain data.

    A training that cannot succeed (a loss that is not finite, memory, an error in its code) reports its reason once
    and ends: trying again would end the same. Storage that refuses its checkpoint, or a table or GPU that this node
    does not see, is no fault of the configuration: it halts the study. A killed worker reports nothing, is started
    again by Ray, and goes on from its checkpoint; one whose GPU went wrong tells of it and kills itself, as the error
    stays in its process and every later training there would fail of it.
    """
    try:
        for result in epochs(task):
            tune.report(result)
    except HelperDied:
        os.kill(os.getpid(), signal.SIGKILL)  # no more this configuration's fault than the death of this process is
    except torch.AcceleratorError as broken:
        tune.report({DYING: f"{os.uname().nodename} told: {str(broken).splitlines()[0]}"})
        os.kill(os.getpid(), signal.SIGKILL)
    except Exception as error:  # noqa: BLE001  whatever it is, it is this configuration's and must not stop the study
        tune.report(_end(error, task["gpu"]))


def _end(error: Exception, gpu: float) -> dict[str, str]:
    """What is told of an error: that the trial failed, or that the study halts. gpu: the share that it had."""
    if isinstance(error, BadStorage | Halted):
        return {HALTED: str(error)}
    if isinstance(error, BadTable):  # the driver has read it, so it is this node that does not see it as it is
        return {HALTED: f"node {os.uname().nodename}: {error}"}
    if isinstance(error, StudyError):
        return {FAILED: str(error)}
    if lacking(error):
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        more = isinstance(error, torch.OutOfMemoryError) and gpu < 1
        return {FAILED: f"out of memory: {reason}{'; --gpus-per-trial 1 gives it a whole GPU' if more else ''}"}
    storage = BadStorage.of(error) if isinstance(error, OSError) else None
    if storage:
        return {HALTED: str(storage)}
    last = traceback.extract_tb(error.__traceback__)[-1]
    return {FAILED: f"{type(error).__name__}: {error} ({Path(last.filename).name}:{last.lineno})"}


def epochs(task: dict[str, Any]) -> Any:
    """Yield one plain result per epoch; on a resume, those of the checkpoint first."""
    config = from_dict(task["config"])
    if task["memory"]:
        limit(task["memory"])
    torch.set_num_threads(task["threads"])
    if task["gpu"] and not torch.cuda.is_available():  # on its CPU a training would take days, and nobody would know
        raise Halted(f"node {os.uname().nodename}: torch {torch.__version__} sees no GPU, of which a trial has a share")
    device = choose_device("cuda" if task["gpu"] else "cpu")
    if device.type == "cuda" and task["gpu"] < 1:
        # Ray's fraction of a GPU is only admission control; this makes it a limit.
        torch.cuda.set_per_process_memory_fraction(task["gpu"])
    table, probe = (_open(*task[role], task["cache"]) for role in ("train", "probe"))
    rows = table.rows_without(probe.subjects)
    bf16 = uses_bf16(config.training, device)

    folder, shown = place(task["folder"]), rows_to_sample(probe)

    def figures(detector: torch.nn.Module) -> dict[str, float]:
        started = time.perf_counter()
        scorer = scorer_of(detector, bf16=bf16)
        found = evaluate(scorer, probe, device=device).figures()
        # Before the epoch's checkpoint, so that no death in between leaves a checkpoint without its maps.
        write_sample_maps(folder / SAMPLE_MAPS, scorer, probe, shown, device=device)
        return found | {VALUE: objective(found, task["families"]), "evaluation_seconds": time.perf_counter() - started}

    training = train(
        config,
        table,
        rows=rows,
        seed=task["seed"],
        device=str(device),
        checkpoints=folder,
        evaluate=figures,
    )
    for epoch in training:
        measured = {"loss": epoch.loss, "seconds": epoch.seconds, "redrawn": epoch.redrawn, "forced": epoch.forced}
        yield {
            "epoch": epoch.number,
            VALUE: epoch.metrics[VALUE],
            "figures": json.dumps(epoch.metrics | measured),  # as text: Tune flattens dictionaries
            "node": os.uname().nodename,
            "replayed": epoch.replayed,
        }


@cache
def _open(address: str, digest: str, copies: str | None) -> SliceTable:
    return open_cached(address, digest, Path(copies) if copies else None)
