"""Search for the best configuration, replicate it, name the winner. The same command again goes on where it stopped.

Examples:
    python -m study.search                                       the demo, on brains made from an atlas
    python -m study.search --space everything --train slices.arrow --test test.arrow --study mine
    ray job submit --working-dir . -- python -m study.search --space demo
"""

from pathlib import Path
from typing import Annotated
from uuid import uuid4

import typer

from core.config import parse_setting
from core.console import out, run
from core.errors import BadConfig
from core.mirror import address, fetch, place
from core.probes import build_probe, held_out_families
from core.slices.demo import demo_tables
from core.slices.table import open_table
from study.cluster import Cluster
from study.events import checked
from study.folder import Definition, StudyFolder, TableReference, default_runs
from study.lock import StudyLock
from study.running import Run, best_trials
from study.space import load_space, with_settings


def main(
    space: Annotated[str, typer.Option(help="TOML file, or the name of a shipped space.")] = "demo",
    train: Annotated[Path | None, typer.Option(help="Slice table of healthy slices. Default: the demo's.")] = None,
    probe: Annotated[Path | None, typer.Option(help="Probe table. Default: built from the training table.")] = None,
    test: Annotated[Path | None, typer.Option(help="Test table, opened only after selection.")] = None,
    study: Annotated[str | None, typer.Option(help="Name of the study. Default: the space's.")] = None,
    fork: Annotated[
        str | None, typer.Option(help="Begin a new study of this name, from the best trials of --study.")
    ] = None,
    trials: Annotated[
        int | None, typer.Option(min=1, help="Trials in all. More than before extends a study, finished or not.")
    ] = None,
    runs: Annotated[
        Path | None,
        typer.Option(help="Folder of all studies that all nodes see, or s3://BUCKET/FOLDER. Default: runs."),
    ] = None,
    settings: Annotated[
        list[str] | None, typer.Option("--set", help="fixed.PATH=VALUE or study.FIELD=VALUE, may be repeated.")
    ] = None,
    database: Annotated[
        str | None, typer.Option(help="postgresql://USER@HOST/NAME to record trials in. Default: a journal file.")
    ] = None,
    cpus: Annotated[int, typer.Option("--cpus-per-trial", min=1, help="CPUs, and threads, of one trial.")] = 1,
    gpus: Annotated[
        float | None, typer.Option("--gpus-per-trial", min=0, help="GPUs of one trial. Default: 1 where there are any.")
    ] = None,
    memory: Annotated[
        float | None,
        typer.Option("--memory-per-trial", min=0.1, help="GiB that one training may allocate. Default: no limit."),
    ] = None,
    concurrent: Annotated[
        int | None, typer.Option(min=1, help="Trials at a time at most. Default: what fits now.")
    ] = None,
    cache: Annotated[
        Path | None, typer.Option(help="Folder on each node's own disk to copy tables to. Default: none is copied.")
    ] = None,
) -> None:
    """Search, replicate, decide. Ctrl-C stops cleanly; the same command goes on."""
    runs = place(runs or default_runs())
    name, _, text = load_space(space)
    loaded, text = with_settings(text, dict(parse_setting(item) for item in settings or []), name)
    if train is None:
        if test is not None or probe is not None:
            raise BadConfig("--test and --probe: expected together with --train")
        train, test = demo_tables(runs / "phantom")
        out.print(f"no --train given: using the demo's brains, {train.parent}", markup=False)
    table = open_table(train, verify=True)
    origin = StudyFolder(runs / (study or name))
    folder = (StudyFolder(runs / fork) if fork else origin).fetch()
    forked = best_trials(origin, loaded.study.top) if fork else ()
    if probe is None:
        probe = fetch(folder.root / "probe.arrow")
        if not probe.exists():
            build_probe(table, probe, seed=loaded.study.seed)
    yardstick = open_table(probe, verify=True)
    definition = Definition(
        space_name=name,
        space=text,
        train=TableReference.to(table),
        probe=TableReference.to(yardstick),
        families=tuple(held_out_families(yardstick, loaded.trained())),
        test=TableReference.to(open_table(test)) if test else None,
        database=checked(database) if database else None,
        identity=uuid4().hex[:8] if database else "",
    )
    shared = [address(folder.definition_file), definition.train.path, definition.probe.path]
    allowed = int(memory * 2**30) if memory else None
    with (
        Cluster(cpus, gpus, concurrent, cache, shared, allowed) as cluster,
        StudyLock(folder.root, cluster.interrupted),
    ):
        new = folder.define(definition)
        out.print(f"study {folder.name} in {address(folder.root)}: {'begins' if new else 'goes on'}", markup=False)
        if new and fork:
            numbers = ", ".join(str(trial.number) for trial in forked)
            out.print(f"forked from {origin.root}: its trials {numbers} are tried again first", markup=False)
        verdict = Run(folder, folder.definition(), loaded, cluster, trials, forked).search()
    if verdict is None:
        out.print("stopped; the same command goes on from here", markup=False)
        raise typer.Exit(130)
    out.print(verdict.sentence, markup=False)
    wrote = f"wrote {address(folder.best)} and {folder.trials.name}"
    out.print(f"{wrote}; next: python -m core.train --best {address(folder.root)}", markup=False)


if __name__ == "__main__":
    run(main)
