"""Trials as files inside the page: CSV for a spreadsheet, Parquet for pandas. They need no other file beside it."""

from base64 import b64encode
from collections.abc import Sequence
from io import BytesIO

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq

from study.page.html import Html, join, listing, paragraphs, tag
from study.page.words import count
from study.records import StudyRecord, TrialRecord
from study.trials import NESTED, table_of

_SAME = {
    False: "A replicate has the settings of the trial of the search that its column trial names.",
    True: "A training of an arm names it in the column arm, once there is a verdict.",
}
"""What is said of trainings under fresh seeds, by whether they are of an ablation's arms."""
WHOLE = 2000  # trials up to which every figure of the last epoch is embedded


def downloads(record: StudyRecord) -> Html:
    """Links to every phase's trainings; nothing before the first."""
    items = [_links(record, name, trials) for name, trials in record.phases.items()]
    if not items:
        return Html("")
    words = (
        "One row per training: state, objective, seed, epochs, time, node, reason, and each searched setting by its "
        f"path. {_SAME[record.compares_arms] if record.replicates else ''}"
    )
    return join(tag("h3", "The data behind the figures"), paragraphs(words), listing(items))


def _links(record: StudyRecord, phase: str, trials: Sequence[TrialRecord]) -> Html:
    table = table_of(trials, record.arm_names if trials is record.replicates else None)
    name = f"{record.folder.name}-{phase.replace(' ', '-')}"
    more = "with the curve and every figure of the last epoch"
    whole = table
    if len(trials) > WHOLE:
        whole, more = (
            table.drop_columns(["figures"]),
            "with the curve; trials.parquet in the study has every figure too",
        )
    links = (
        _link(f"{name}.csv", "text/csv", csv_of(table), f"{name}.csv"),
        ", ",
        _link(f"{name}.parquet", "application/vnd.apache.parquet", parquet_of(whole), f"{name}.parquet"),
    )
    return join(f"{phase}, {count(len(trials), 'training')}: ", *links, f" ({more})")


def csv_of(table: pa.Table) -> bytes:
    """Columns of single values as CSV, UTF-8."""
    buffer = BytesIO()
    pa.csv.write_csv(table.drop_columns([name for name in NESTED if name in table.column_names]), buffer)
    return buffer.getvalue()


def parquet_of(table: pa.Table) -> bytes:
    """All columns as Parquet."""
    buffer = BytesIO()
    pq.write_table(table, buffer, compression="zstd")
    return buffer.getvalue()


def _link(name: str, kind: str, content: bytes, words: str) -> Html:
    return tag("a", words, href=f"data:{kind};base64,{b64encode(content).decode()}", download=name)
