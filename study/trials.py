"""Trials as a table: one row each, for reports, notebooks and pandas. Derived from the journal, never read back."""

from pathlib import Path
from typing import Any

import optuna
import pyarrow as pa
import pyarrow.parquet as pq

from core.durable import replacing
from study.ledger import CPUS, EPOCHS, GPUS, NODE, PAPER, REASON, SEED
from study.records import TrialRecord

SCHEMA = [
    ("number", pa.int32()),
    ("state", pa.string()),
    ("value", pa.float64()),
    ("seed", pa.int64()),
    ("is_paper", pa.bool_()),
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


def trial_table(study: optuna.Study) -> pa.Table:
    """One row per trial: SCHEMA, then one column per searched parameter under its dotted path, null where inactive.

    value is the objective at full budget, or for a stopped trial at its last epoch. curve: objective after each epoch.
    figures: every figure of the last epoch by name. seconds: training and scoring on the worker, over all epochs.
    cpus, gpus: what the trial occupied. started, ended: what the clock of the driver said; it may have been set back.
    """
    trials = study.get_trials(deepcopy=False)
    rows = [_row(trial) for trial in trials]
    columns = [pa.array([row[name] for row in rows], kind) for name, kind in SCHEMA]
    names = [name for name, _ in SCHEMA]
    for parameter in sorted({name for trial in trials for name in trial.params}):
        columns.append(pa.array([trial.params.get(parameter) for trial in trials]))
        names.append(parameter)
    return pa.table(columns, names)


def write_trials(study: optuna.Study, path: Path) -> None:
    """Write the table as Parquet, atomically."""
    with replacing(path) as temporary:
        pq.write_table(trial_table(study), temporary)


def _row(trial: optuna.trial.FrozenTrial) -> dict[str, Any]:
    attributes, values = trial.user_attrs, trial.intermediate_values
    last = max(values, default=0)
    figures = attributes.get(f"{EPOCHS} {last}", {})
    return {
        "number": trial.number,
        "state": trial.state.name,
        "value": trial.value if trial.value is not None else values.get(last),
        "seed": attributes.get(SEED),
        "is_paper": bool(attributes.get(PAPER, False)),
        "epochs": last,
        "curve": [values[epoch] for epoch in sorted(values)],
        "figures": list(figures.items()),
        "seconds": TrialRecord.of(trial).seconds,
        "cpus": attributes.get(CPUS),
        "gpus": attributes.get(GPUS),
        "node": attributes.get(NODE),
        "started": trial.datetime_start,
        "ended": trial.datetime_complete,
        "reason": attributes.get(REASON),
    }
