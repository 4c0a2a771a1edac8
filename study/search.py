"""Search for the best configuration, replicate it, name the winner. The same command again goes on where it stopped.

Examples:
    python -m study.search                                       the demo, on brains made from an atlas
    python -m study.search --space everything --train slices.arrow --test test.arrow --study mine
    python -m study.search --space small --train slices.arrow --dry-run      what it would try, and how long that takes
    python -m study.search --list                                studies and spaces that are there
    python -m study.search --status mine                         how far a study is, also while it runs
    ray job submit --working-dir . -- python -m study.search --space demo

Exit codes: 0 decided, or told; 2 a mistake, told in one sentence; 130 stopped, the same command goes on.
"""

import shlex
import sys
from contextlib import suppress
from typing import Annotated

import typer

from core.console import out, run
from core.errors import BadConfig
from core.options import Runs
from study.options import (
    LOOKING,
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
    searchable,
    study_names,
)


def main(
    space: Annotated[
        str,
        typer.Option(
            metavar="NAME",
            help="TOML file, or the name of a shipped space.",
            rich_help_panel=STUDY,
            autocompletion=searchable,
        ),
    ] = "demo",
    settings: Settings = None,
    trials: Annotated[
        int | None,
        typer.Option(
            min=1,
            metavar="N",
            help="Trials in all; more than before extends a study, finished or not. Default: as the space says.",
            rich_help_panel=STUDY,
        ),
    ] = None,
    study: StudyName = None,
    fork: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="Begin a new study of this name, from the best trials of --study. Default: none is begun.",
            rich_help_panel=STUDY,
        ),
    ] = None,
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
    listing: Annotated[
        bool, typer.Option("--list", help="Tell which studies and spaces there are.", rich_help_panel=LOOKING)
    ] = False,
    status: Annotated[
        str | None,
        typer.Option(
            metavar="STUDY",
            help="Tell how far a study is, by its name or folder. Default: no study.",
            rich_help_panel=LOOKING,
            autocompletion=study_names,
        ),
    ] = None,
) -> None:
    """Search, replicate, decide. Ctrl-C stops cleanly; the same command goes on."""
    from core.config import parse_setting
    from core.mirror import address, place
    from core.runs import default_runs
    from study.folder import find_study, study_named

    runs = place(runs or default_runs())
    if listing:
        from study.listing import tell_spaces, tell_studies

        tell_studies(runs)
        tell_spaces()
        return
    if status is not None:
        from study.standing import standing, tell

        tell(standing(find_study(status, runs)))
        return

    from study.reading import load_space, parse_space, with_settings

    name, _, text = load_space(space)
    loaded, text = with_settings(text, dict(parse_setting(item) for item in settings or []), name)
    named = name if study is None else study
    folder = study_named(named, runs) if fork is None else study_named(fork, runs, "--fork")
    origin = folder if fork is None else find_study(named, runs)
    if dry_run:
        from study.dry_run import tell_dry_run
        from study.planning import plan_of_search

        plan = plan_of_search(loaded, trials)
        tell_dry_run(plan, folder, loaded.study.seed, train, probe, test, database, cpus, concurrent)
        return

    from study.cluster import Cluster
    from study.defining import define, shared_files, tables_or_demo
    from study.phases import opened
    from study.searching import Search, best_trials

    train, test = tables_or_demo(train, probe, test, runs)
    folder.fetch()
    forked = best_trials(origin, loaded.study.top) if fork else ()
    definition = define(folder, name, text, loaded.trained(), loaded.study.seed, train, probe, test, database)
    allowed = int(memory * 2**30) if memory else None
    cluster = Cluster(cpus, gpus, concurrent, cache, shared_files(folder, definition), allowed)
    with opened(folder, definition, cluster, log or ()) as (phases, new):
        if new and fork:
            numbers = ", ".join(str(trial.number) for trial in forked)
            out.print(f"forked from {origin.root}: its trials {numbers} are tried again first", markup=False)
            with suppress(BadConfig):  # a space that an earlier version could read
                if parse_space(origin.definition().space, name).study.seed == loaded.study.seed:
                    out.print("replicates train under the seeds of its own; --set study.seed=N draws others")
        verdict = Search(phases, loaded, trials, forked).run()
    if verdict is None:
        out.print("stopped; the same command goes on from here", markup=False)
        sys.exit(130)
    out.print(verdict.sentence, markup=False)
    wrote = f"wrote {address(folder.best)} and {folder.trials.name}"
    out.print(f"{wrote}; next: python -m core.train --best {shlex.quote(address(folder.root))}", markup=False)


if __name__ == "__main__":
    run(main)
