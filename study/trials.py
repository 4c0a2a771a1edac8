"""Trials as a table: one row each, for reports, notebooks and pandas. Derived from the journal, never read back."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import optuna
import pyarrow as pa
import pyarrow.parquet as pq

from core.durable import replacing
from study.records import TrialRecord, records_of

SCHEMA = [
    ("number", pa.int32()),
    ("state", pa.string()),
    ("value", pa.float64()),
    ("seed", pa.int64()),
    ("is_base", pa.bool_()),
    ("epochs", pa.int32()),
    ("curve", pa.list_(pa.float64())),
    ("figures", pa.map_(pa.string(), pa.float64())),
    ("seconds", pa.float64()),
    ("cpus", pa.int32()),
    ("gpus", pa.float64()),
    ("node", pa.string()),
    ("started", pa.timestamp("us")),
    ("ended", pa.timestamp("us")),
    ("reason", pa.string()),
]


NESTED = ("curve", "figures")
"""Columns that hold more than one value."""


def trial_table(study: optuna.Study, arms: Mapping[int, str] | None = None) -> pa.Table:
    """The table of a study's trials, see `table_of`."""
    return table_of(records_of(study), arms)


def table_of(trials: Sequence[TrialRecord], arms: Mapping[int, str] | None = None) -> pa.Table:
    """One row per trial: SCHEMA, then one column per searched parameter under its dotted path, null where inactive.

    A replicate has the column `trial`, that of the search whose settings it has; with arms, the names of an ablation's
    by number, also `arm`.
    value is the objective at full budget, or for a stopped trial at its last epoch. curve: objective after each epoch.
    figures: every figure of the last epoch by name. seconds: training and scoring on the worker, over all epochs.
    is_base: whether it is the preset's own choice, whatever the preset. cpus, gpus: what the trial occupied.
    started, ended: what the clock of the driver said; it may have been set back.
    """
    rows = [_row(trial) for trial in trials]
    columns = [pa.array([row[name] for row in rows], kind) for name, kind in SCHEMA]
    names = [name for name, _ in SCHEMA]
    if arms:
        columns.append(pa.array([arms.get(trial.params.get("trial", -1)) for trial in trials], pa.string()))
        names.append("arm")
    # A replicate's seed, which SCHEMA has, is a parameter too: a file with two columns of one name cannot be read.
    for parameter in sorted({name for trial in trials for name in trial.params} - set(names)):
        columns.append(pa.array([trial.params.get(parameter) for trial in trials]))
        names.append(parameter)
    return pa.table(columns, names)


def write_trials(study: optuna.Study, path: Path, arms: Mapping[int, str] | None = None) -> None:
    """Write the table as Parquet, atomically. arms: see `table_of`."""
    with replacing(path) as temporary:
        pq.write_table(trial_table(study, arms), temporary)


def _row(trial: TrialRecord) -> dict[str, Any]:
    return {
        "number": trial.number,
        "state": trial.state.name,
        "value": trial.value,
        "seed": trial.params.get("seed", trial.seed),
        "is_base": trial.is_base,
        "epochs": trial.epochs,
        "curve": list(trial.curve.values()),
        "figures": list(trial.figures.get(trial.epochs, {}).items()),
        "seconds": trial.seconds,
        "cpus": trial.cpus,
        "gpus": trial.gpus,
        "node": trial.node,
        "started": trial.started,
        "ended": trial.ended,
        "reason": trial.reason,
    }
