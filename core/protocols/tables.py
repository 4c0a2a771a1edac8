"""Results of both protocols as tables for the terminal."""

from collections.abc import Sequence
from typing import Any

from rich.box import SIMPLE
from rich.markup import escape
from rich.table import Table

from core.protocols.beside_paper import TITLES


def paper_table(parts: Sequence[dict[str, Any]]) -> Table:
    """Tables I and II with a row for this detector in each part, empty where it was not measured."""
    table = Table(title="the paper's figures, and this detector's", title_justify="left", box=SIMPLE)
    for title in ("", ""):
        table.add_column(title)
    for title in TITLES.values():
        table.add_column(title, justify="right")
    for part in parts:
        for place, row in enumerate(part["published"]):
            table.add_row("" if place else part["table"], row["method"], *(f"{row[name]:.2f}" for name in TITLES))
        measured = part["measured"] or dict.fromkeys(TITLES)
        table.add_row("", "this detector", *(_cell(measured[name]) for name in TITLES), end_section=True)
    return table


def paper_sentences(parts: Sequence[dict[str, Any]], described: str) -> list[str]:
    """What is to be said of each part, and what was measured on. described: the test data in words."""
    return [*(f"{part['table']}: {part['note']}" for part in parts if part["note"]), f"measured on: {described}"]


def mood_table(result: dict[str, Any]) -> Table:
    """One row per case; `mood_sentence` has the pooled figures."""
    cases, pixel = result["cases"], result["level"] == "pixel"
    table = Table(title=f"MOOD, {result['level']} level: {len(cases)} cases", title_justify="left", box=SIMPLE)
    table.add_column("")
    for title in ("AP", "AUROC", "anomalous voxels") if pixel else ("score", "label"):
        table.add_column(title, justify="right")
    for case in cases:
        figures = (
            (_number(case["average_precision"]), _number(case["auroc"]), f"{100 * case['prevalence']:.3f} %")
            if pixel
            else (f"{case['score']:.4f}", str(int(case["anomalous"])))
        )
        table.add_row(escape(case["name"]), *figures)
    return table


def mood_sentence(result: dict[str, Any]) -> str:
    """The pooled figures; average precision is the challenge's."""
    words = []
    for name, title in (("average_precision", "average precision"), ("auroc", "AUROC")):
        interval = result["intervals"].get(name)
        span = f" [{interval['low']:.4f}, {interval['high']:.4f}]" if interval else ""
        words.append(f"{title} {_number(result['pooled'][name])}{span}")
    over = "voxels of all cases pooled" if result["level"] == "pixel" else "over cases"
    return f"{', '.join(words)}; {over}, 95 % intervals over cases"


def _cell(interval: dict[str, Any] | None) -> str:
    if interval is None:
        return "-"
    return f"{interval['estimate']:.2f} [{interval['low']:.2f}, {interval['high']:.2f}]"


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.4f}"
