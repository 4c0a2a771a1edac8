"""What a study is, from what its command names: tables opened and verified, a probe built where none is given."""

from collections.abc import Collection
from pathlib import Path
from uuid import uuid4

from core.console import out
from core.errors import BadConfig
from core.mirror import address, fetch
from core.probes import build_probe, held_out_families
from core.slices.demo import demo_tables
from core.slices.table import open_table
from study.events import checked
from study.folder import Definition, StudyFolder, TableReference


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
    table = open_table(train, verify=True)
    if probe is None:
        probe = fetch(folder.root / "probe.arrow")
        if not probe.exists():
            build_probe(table, probe, seed=seed)
    yardstick = open_table(probe, verify=True)
    return Definition(
        space_name=space_name,
        space=space,
        train=TableReference.to(table),
        probe=TableReference.to(yardstick),
        families=tuple(held_out_families(yardstick, trained)),
        test=TableReference.to(open_table(test)) if test else None,
        database=checked(database) if database else None,
        identity=uuid4().hex[:8] if database else "",
    )


def shared_files(folder: StudyFolder, definition: Definition) -> list[str]:
    """Addresses of what every node must see."""
    return [address(folder.definition_file), definition.train.path, definition.probe.path]
