"""The script of all benchmarks runs, checks what it times, and writes a table that can be read."""

import math
from pathlib import Path

import pytest

from tests.benchmarks import bench_synthesis, bench_table, bench_training, speed
from tests.benchmarks.rows import Row


@pytest.mark.parametrize("module", [bench_synthesis, bench_table, bench_training])
def test_rows_hold_both_figures(module: object) -> None:
    found = list(module.rows("cpu", tiny=True))  # type: ignore[attr-defined]
    assert found
    for row in found:
        assert row.unit in ("s", "MiB")
        assert all(math.isfinite(value) and value > 0 for value in (row.ours, row.theirs))


def test_the_table_says_what_was_not_measured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(speed, "MODULES", ("bench_synthesis", "bench_that_nobody_wrote"))
    speed.main(["--tiny", "--out", str(tmp_path / "new" / "speed.md")])
    lines = (tmp_path / "new" / "speed.md").read_text().splitlines()
    assert lines[2:4] == ["| what | ours | theirs | ratio | remark |", "|---|---|---|---|---|"]
    assert lines[4].startswith("| a pseudo-outlier, 32 x 32 |")
    assert lines[-1] == "Not measured here: bench_that_nobody_wrote."
    assert "torch" in lines[0]


def test_the_ratio_says_how_many_times_less_ours_needs() -> None:
    assert "| x | 0.5 s | 2 s | 4.00 | y |" in speed.table([Row("x", 0.5, 2.0, "s", "y")], "here", [])
