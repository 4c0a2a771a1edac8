"""Compare arms that differ in what they name alone: each in full, under the same seeds. The same command goes on.

Examples:
    python -m study.ablation                                     Fig. 4 on the demo's brains: which shape of the mask?
    python -m study.ablation --space alpha --train slices.arrow --test test.arrow
    python -m study.ablation --space baselines --train slices.arrow --dry-run     what it would train, and for how long
    ray job submit --working-dir . -- python -m study.ablation --space shapes --train /shared/slices.arrow

Exit codes: 0 compared, or told; 2 a mistake, told in one sentence; 130 stopped, the same command goes on.
"""

import shlex
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from core.console import out, run
from core.options import Runs
from study.options import (
    STUDY,
    Cache,
    Concurrent,
    Cpus,
    Database,
    DryRun,
    Gpus,
    Log,
    Memory,
    ProbeTable,
    Settings,
    StudyName,
    TestTable,
    TrainTable,
    comparable,
)


def main(
    space: Annotated[
        str,
        typer.Option(
            metavar="NAME",
            help="TOML file with [arms], or the name of a shipped one.",
            rich_help_panel=STUDY,
            autocompletion=comparable,
        ),
    ] = "shapes",
    settings: Settings = None,
    study: StudyName = None,
    train: TrainTable = None,
    probe: ProbeTable = None,
    test: TestTable = None,
    runs: Runs = None,
    database: Database = None,
    log: Log = None,
    cpus: Cpus = 1,
    gpus: Gpus = None,
    memory: Memory = None,
    concurrent: Concurrent = None,
    cache: Cache = None,
    dry_run: DryRun = False,
) -> None:
    """Train every arm under every seed and say which are apart. Ctrl-C stops cleanly; the same command goes on."""
    from core.config import parse_setting
    from core.mirror import address, place
    from core.runs import default_runs
    from study.arms import parse_ablation
    from study.folder import study_named
    from study.reading import read_space

    runs = place(runs or default_runs())
    name, text = read_space(space)
    ablation, text = parse_ablation(text, dict(parse_setting(item) for item in settings or []), Path(space).name)
    folder = study_named(name if study is None else study, runs)
    if dry_run:
        from study.dry_run import tell_dry_run
        from study.planning import plan_of_ablation

        plan = plan_of_ablation(ablation)
        tell_dry_run(plan, folder, ablation.study.seed, train, probe, test, database, cpus, concurrent)
        return

    from study.cluster import Cluster
    from study.comparing import Comparison
    from study.defining import define, shared_files, tables_or_demo
    from study.phases import opened

    train, test = tables_or_demo(train, probe, test, runs)
    folder.fetch()
    definition = define(folder, name, text, ablation.trained(), ablation.study.seed, train, probe, test, database)
    allowed = int(memory * 2**30) if memory else None
    cluster = Cluster(cpus, gpus, concurrent, cache, shared_files(folder, definition), allowed)
    with opened(folder, definition, cluster, log or ()) as (phases, _):
        found = Comparison(phases, ablation).run()
    if found is None:
        out.print("stopped; the same command goes on from here", markup=False)
        sys.exit(130)
    _tell(found)
    wrote = f"wrote {address(folder.ablation)}, best.json and {folder.trials.name}"
    out.print(f"{wrote}; next: python -m core.train --best {shlex.quote(address(folder.root))}", markup=False)


def _tell(found: dict[str, Any]) -> None:
    from rich.table import Table

    table = Table("arm", "objective, mean [95 %]", "seeds", "parameters", "core-s a training", "slices/s", box=None)
    for name, arm in found["arms"].items():
        interval, cost = arm["interval"], arm["cost"]
        table.add_row(
            name,
            f"{interval['estimate']:.4f} [{interval['low']:.4f}, {interval['high']:.4f}]",
            str(len(arm["values"])),
            f"{cost['parameters']:,}",
            f"{cost['core_seconds']:.0f}",
            f"{cost['slices_per_second']:.0f}",
        )
    out.print(table)
    for pair in found["pairs"]:
        gap = pair["difference"]
        out.print(
            f"{pair['first']} - {pair['second']}: {gap['estimate']:+.4f} [{gap['low']:+.4f}, {gap['high']:+.4f}], "
            f"p {pair['p']:.3g}, after Holm {pair['corrected']:.3g}{', apart' if pair['apart'] else ''}",
            markup=False,
        )
    for name, reason in found["left_out"].items():
        out.print(f"{name} is left out: {reason}", markup=False)
    out.print(found["verdict"], markup=False)


if __name__ == "__main__":
    run(main)
