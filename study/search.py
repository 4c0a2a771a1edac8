"""Search for the best configuration, replicate it, name the winner. The same command again goes on where it stopped.

Examples:
    python -m study.search                                       the demo, on brains made from an atlas
    python -m study.search --space everything --train slices.arrow --test test.arrow --study mine
    ray job submit --working-dir . -- python -m study.search --space demo
"""

from typing import Annotated

import typer

from core.config import parse_setting
from core.console import out, run
from core.mirror import address, place
from study.cluster import Cluster
from study.defining import define, shared_files, tables_or_demo
from study.folder import StudyFolder, default_runs
from study.options import (
    Cache,
    Concurrent,
    Cpus,
    Database,
    Gpus,
    Memory,
    ProbeTable,
    Runs,
    Settings,
    StudyName,
    TestTable,
    TrainTable,
)
from study.phases import opened
from study.running import Run, best_trials
from study.space import load_space, with_settings


def main(
    space: Annotated[str, typer.Option(help="TOML file, or the name of a shipped space.")] = "demo",
    train: TrainTable = None,
    probe: ProbeTable = None,
    test: TestTable = None,
    study: StudyName = None,
    fork: Annotated[
        str | None, typer.Option(help="Begin a new study of this name, from the best trials of --study.")
    ] = None,
    trials: Annotated[
        int | None, typer.Option(min=1, help="Trials in all. More than before extends a study, finished or not.")
    ] = None,
    runs: Runs = None,
    settings: Settings = None,
    database: Database = None,
    cpus: Cpus = 1,
    gpus: Gpus = None,
    memory: Memory = None,
    concurrent: Concurrent = None,
    cache: Cache = None,
) -> None:
    """Search, replicate, decide. Ctrl-C stops cleanly; the same command goes on."""
    runs = place(runs or default_runs())
    name, _, text = load_space(space)
    loaded, text = with_settings(text, dict(parse_setting(item) for item in settings or []), name)
    train, test = tables_or_demo(train, probe, test, runs)
    origin = StudyFolder(runs / (study or name))
    folder = (StudyFolder(runs / fork) if fork else origin).fetch()
    forked = best_trials(origin, loaded.study.top) if fork else ()
    definition = define(folder, name, text, loaded.trained(), loaded.study.seed, train, probe, test, database)
    allowed = int(memory * 2**30) if memory else None
    cluster = Cluster(cpus, gpus, concurrent, cache, shared_files(folder, definition), allowed)
    with opened(folder, definition, cluster) as (phases, new):
        if new and fork:
            numbers = ", ".join(str(trial.number) for trial in forked)
            out.print(f"forked from {origin.root}: its trials {numbers} are tried again first", markup=False)
        verdict = Run(phases, loaded, trials, forked).search()
    if verdict is None:
        out.print("stopped; the same command goes on from here", markup=False)
        raise typer.Exit(130)
    out.print(verdict.sentence, markup=False)
    wrote = f"wrote {address(folder.best)} and {folder.trials.name}"
    out.print(f"{wrote}; next: python -m core.train --best {address(folder.root)}", markup=False)


if __name__ == "__main__":
    run(main)
