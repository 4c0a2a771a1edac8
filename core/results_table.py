"""The test table as people read it on a terminal."""

from collections.abc import Sequence
from typing import Any

from rich.box import SIMPLE
from rich.table import Table

from core.results import entry_label, postprocessing_words


def results_table(result: dict[str, Any], from_score: str) -> Table:
    """evaluation.json as a table: mean over seeds and interval over subjects and seeds, detectors above the floor."""
    test = result["test"]
    table = Table(
        title=f"test: {test['slices']} slices of {len(test['subjects'])} subjects, {len(result['seeds'])} seeds, "
        f"95 % intervals",
        box=SIMPLE,
    )
    columns = {
        "pixel AP": "pixel.average_precision",
        "pixel AUROC": "pixel.auroc",
    }
    for score in dict.fromkeys(("mean", from_score)):
        columns[f"sample AUROC\n{score}"] = f"sample.{score}.auroc"
    columns[f"at like area\n{from_score}"] = f"sample.{from_score}.matched_auroc"
    table.add_column("", no_wrap=True)
    for title in columns:
        table.add_column(title, justify="right")
    entries: Sequence[dict[str, Any]] = result["entries"]
    table.caption = postprocessing_words(entries) or None
    for entry in entries:
        table.add_row(entry_label(entry), *(_cell(entry["intervals"].get(quantity)) for quantity in columns.values()))
    return table


def _cell(interval: dict[str, Any] | None) -> str:
    if interval is None:
        return "-"
    return f"{interval['estimate']:.3f} [{interval['low']:.3f}, {interval['high']:.3f}]"
