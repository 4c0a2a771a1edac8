"""What a study is, from what its command names: tables opened and verified, a probe built where none is given."""

from collections.abc import Collection
from pathlib import Path
from uuid import uuid4

from core.console import err, out
from core.errors import BadConfig
from core.families import held_out_families
from core.mirror import address, fetch
from core.probes import build_probe
from core.slices.alike import namesakes, require_fit
from core.slices.demo import demo_tables
from core.slices.table import SliceTable, open_table
from study.folder import Definition, StudyFolder, TableReference
from study.storage import checked


def tables_or_demo(train: Path | None, probe: Path | None, test: Path | None, runs: Path) -> tuple[Path, Path | None]:
    """Training and test table; the demo's where none is named. Raises BadConfig when only others are named."""
    if train is not None:
        return train, test
    if test is not None or probe is not None:
        raise BadConfig("--test and --probe: expected together with --train")
    train, test = demo_tables(runs / "phantom")
    out.print(f"no --train given: using the demo's brains, {train.parent}", markup=False)
    return train, test


def define(
    folder: StudyFolder,
    space_name: str,
    space: str,
    trained: Collection[str],
    seed: int,
    train: Path,
    probe: Path | None,
    test: Path | None,
    database: str | None,
) -> Definition:
    """The definition of a study over these tables.

    space: its text. trained: transforms that some trial may train on, so that no family like them is judged by.
    """
    table, tested = open_table(train, verify=True), open_table(test) if test else None
    recorded = checked(database) if database else None
    yardstick = open_table(probe, verify=True) if probe else None
    if not folder.definition_file.exists():
        require_fit(table, probe=yardstick, test=tested)
        warn_of_namesakes(table, tested)
    yardstick = yardstick or _own_probe(folder, table, seed)
    return Definition(
        space_name=space_name,
        space=space,
        train=TableReference.to(table),
        probe=TableReference.to(yardstick),
        families=tuple(held_out_families(yardstick, trained)),
        test=TableReference.to(tested) if tested else None,
        database=recorded,
        identity=f"{folder.name}/{uuid4().hex[:8]}" if recorded else "",
    )


def _own_probe(folder: StudyFolder, table: SliceTable, seed: int) -> SliceTable:
    """The probe that a study built for itself, or builds now. A begun study keeps the one that it began with."""
    path = fetch(folder.root / "probe.arrow")
    if path.exists():
        found = open_table(path, verify=True)
        source = found.metadata.source
        if folder.definition_file.exists() or (source.get("from"), source.get("seed")) == (table.digest, seed):
            return found
        # Left by a call that named another table and was refused.
        path.unlink()
    return build_probe(table, path, seed=seed)


def warn_of_namesakes(train: SliceTable, test: SliceTable | None) -> None:
    """Say so where two data sets have subjects of one name: whether these are the same people, only the user knows."""
    names = namesakes(train, test) if test else []
    if test and names:
        err.print(
            f"{len(names)} names of subjects, such as {names[0]}, are in both {train.path.name} and {test.path.name}, "
            "of different data sets; if they are the same people, ingest both tables with one --dataset",
            style="yellow",
            markup=False,
        )


def shared_files(folder: StudyFolder, definition: Definition) -> list[str]:
    """Addresses of what every node must see."""
    return [address(folder.definition_file), definition.train.path, definition.probe.path]
