"""The data of the demo: phantoms, built and ingested once, found again afterwards."""

from pathlib import Path

from core.errors import BadTable
from core.slices.folder import FolderSource
from core.slices.ingesting import IngestReport, Told, ingest
from core.slices.preprocess import Preprocessing
from core.slices.table import open_table

DEMO = Preprocessing(side=64, slices=40)
"""Small images, so that a search over them takes minutes on two cores."""
SEED = 1
"""Of the demo's subjects. The shipped presets and the demo's space were developed on subjects of other seeds."""


def demo_tables(root: Path = Path("runs/phantom"), progress: Told | None = None) -> tuple[Path, Path]:
    """Paths of the training table (healthy) and the test table (with lesions), both made if they are missing.

    They lie at `root`/<digest of the recipe>/train.arrow and test.arrow. A table that cannot be opened or was made
    with other preprocessing is made anew. Importing the phantoms takes seconds, so it happens only here.
    """
    from core.slices.phantom import PhantomSet, build_phantoms

    def built(done: int, total: int) -> None:
        if progress:
            progress(done, total, "drawn")

    folder = build_phantoms(PhantomSet(seed=SEED), root, progress=built)
    for part in ("train", "test"):
        if not _is_current(folder / f"{part}.arrow"):
            _ingest_part(folder, part, progress)
    return folder / "train.arrow", folder / "test.arrow"


def found_demo_tables(root: Path) -> tuple[Path, Path] | None:
    """The tables of `demo_tables` where both are made already, else None."""
    from core.slices.phantom import PhantomSet

    folder = root / PhantomSet(seed=SEED).digest()[:12]
    tables = folder / "train.arrow", folder / "test.arrow"
    return tables if all(_is_current(table) for table in tables) else None


def _ingest_part(folder: Path, part: str, progress: Told | None) -> IngestReport:
    return ingest(FolderSource(folder / part, "phantom"), folder / f"{part}.arrow", DEMO, progress=progress)


def _is_current(path: Path) -> bool:
    try:
        return Preprocessing(**open_table(path).metadata.preprocessing) == DEMO
    except (BadTable, TypeError):
        return False
